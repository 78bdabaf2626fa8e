import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from screening.config import DataConfig
from screening.data.deduplicate import find_near_duplicates
from screening.data.preparation import prepare_posts
from screening.data.synthetic import generate_controls, generate_posts
from screening.data.synthetic_phrases import CLOSERS, CONTROLS, OPENERS, SHARED, SLOTS, STYLES, TOPICS


def test_the_same_seed_writes_the_same_corpus_and_another_does_not():
    assert generate_posts(300, seed=5).equals(generate_posts(300, seed=5))
    assert not generate_posts(300, seed=5)["text"].equals(generate_posts(300, seed=6)["text"])
    assert generate_controls(50, seed=5).equals(generate_controls(50, seed=5))


def test_class_shares_are_those_of_swmh():
    shares = generate_posts(4000, seed=1)["label"].value_counts(normalize=True)
    assert shares["depression"] == pytest.approx(0.345, abs=0.03)  # four standard errors
    assert shares.drop("depression").between(0.11, 0.22).all()


def test_some_authors_write_often_and_most_do_not():
    counts = generate_posts(3000, seed=1)["author_id"].value_counts()
    assert counts.max() < 0.02 * 3000
    assert counts.max() >= 10
    assert counts.median() <= 3


def test_reposts_and_every_style_are_there():
    posts = generate_posts(3000, seed=1)
    assert 20 <= find_near_duplicates(posts["text"].tolist(), 0.8).sum() <= 150
    assert set(posts["post_style"]) == {"first_person", *STYLES}


def test_every_slot_is_filled():
    texts = [*generate_posts(1000, seed=2)["text"], *generate_controls(200, seed=2)["text"]]
    assert not [text for text in texts if "{" in text or "}" in text]


def test_every_phrase_names_known_slots_only():
    import re

    tables = [*TOPICS.values(), *STYLES.values(), *CONTROLS.values(), *SLOTS.values(), OPENERS, CLOSERS, SHARED]
    used = {slot for phrases in tables for phrase in phrases for slot in re.findall(r"\{(\w+)\}", phrase)}
    assert used <= set(SLOTS)


def test_a_linear_baseline_finds_the_task_neither_hopeless_nor_easy(taxonomy):
    splits = prepare_posts(DataConfig(n_synthetic=3000), taxonomy, seed=13).splits
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    features = vectorizer.fit_transform(splits["train"]["text"])
    model = LogisticRegression(C=5, class_weight="balanced", max_iter=1000).fit(features, splits["train"]["label"])
    predicted = model.predict(vectorizer.transform(splits["test"]["text"]))
    assert 0.6 < f1_score(splits["test"]["label"], predicted, average="macro") < 0.8
