from pathlib import Path

import numpy as np
import pytest

from screening.exceptions import BundleError
from screening.models.baseline import TfidfBaseline, list_terms, locate_words

TEXTS = ["red apple pie", "red apple tart", "blue sea wave", "blue sea foam", "green tree leaf", "green tree bark"]
LABELS = np.array([0, 0, 1, 1, 2, 2])


def test_baseline_separates_separable_posts_and_gives_probabilities() -> None:
    baseline = TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0)
    probabilities = baseline.compute_probabilities(TEXTS)
    assert probabilities.argmax(axis=1).tolist() == LABELS.tolist()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_saved_baseline_gives_the_same_numbers_as_sklearn_gave(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    baseline = TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0)
    baseline.save(tmp_path)
    loaded = TfidfBaseline.load(tmp_path)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=60_000, sublinear_tf=True)
    model = LogisticRegression(C=5.0, max_iter=2_000, class_weight="balanced", random_state=0)
    oracle = model.fit(vectorizer.fit_transform(TEXTS), LABELS).predict_proba(vectorizer.transform(["red sea", "x"]))
    np.testing.assert_allclose(loaded.compute_probabilities(["red sea", "x"]), oracle, atol=1e-12)


def test_two_classes_keep_two_columns() -> None:
    baseline = TfidfBaseline.fit(TEXTS[:4], LABELS[:4], 2, seed=0)
    assert baseline.compute_probabilities(TEXTS[:4]).argmax(axis=1).tolist() == [0, 0, 1, 1]


def test_no_posts_give_no_rows() -> None:
    assert TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0).compute_probabilities([]).shape == (0, 3)


def test_class_without_posts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"none of class indices \[3\]"):
        TfidfBaseline.fit(TEXTS, LABELS, 4, seed=0)


def test_folder_without_a_baseline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no whole baseline"):
        TfidfBaseline.load(tmp_path)


def test_saved_baseline_holds_no_word_of_a_post(tmp_path: Path) -> None:
    TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0).save(tmp_path)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(word.encode() in written for text in TEXTS for word in text.split())


TRICKY = "So RED, red Apple pie: I can't, İSTANBUL ΣΟΦΟΣ naïve 👩🏽‍🚒 sea sea"


@pytest.mark.parametrize("text", [TRICKY, "red red red", "zzz", ""])
def test_shares_of_words_and_the_intercept_add_up_to_the_logits(text: str) -> None:
    baseline = TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0)
    total = baseline.weigh_words(text).logits.sum(axis=0) + baseline.intercept
    np.testing.assert_allclose(total, baseline.compute_logits([text])[0], atol=1e-12)


def test_spans_are_the_words_as_they_are_written() -> None:
    words = [TRICKY[start:end] for start, end in locate_words(TRICKY)]
    assert words == ["So", "RED", "red", "Apple", "pie", "can", "STANBUL", "ΣΟΦΟΣ", "naïve", "sea", "sea"]
    assert len(list_terms(TRICKY)) == 2 * len(words) - 1  # and the pairs between them


def test_a_word_of_no_training_post_brings_nothing() -> None:
    shares = TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0).weigh_words("qqqq red")
    assert not shares.logits[0].any()
    assert shares.logits[1].any()


def find_spans(text: str, *words: str) -> list[tuple[int, int]]:
    return [(text.index(word), text.index(word) + len(word)) for word in words]


@pytest.mark.parametrize("text", [TRICKY, "red red red", "zzz", ""])
def test_a_post_with_nothing_masked_has_its_own_logits(text: str) -> None:
    baseline = TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0)
    np.testing.assert_allclose(baseline.compute_masked_logits(text, [()]), baseline.compute_logits([text]), atol=1e-12)


def test_words_at_an_edge_are_masked_as_if_they_were_not_there() -> None:
    baseline = TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0)
    text = "red apple blue sea sea"
    found = baseline.compute_masked_logits(text, [find_spans(text, "red", "apple"), [(0, len(text))]])
    np.testing.assert_allclose(found[0], baseline.compute_logits(["blue sea sea"])[0], atol=1e-12)
    np.testing.assert_allclose(found[1], baseline.intercept)


def test_words_on_both_sides_of_a_gap_make_no_pair() -> None:
    """A model that knows one term, the pair: it is there, or not, however the words are masked."""
    whole, broken = "red apple pie", "red sea apple pie"
    pair = np.frombuffer(list_terms("red apple")[-1], dtype=np.uint8).reshape(1, -1)
    baseline = TfidfBaseline(pair, np.ones(1), np.array([[0.0], [2.0]]), np.zeros(2))
    assert baseline.compute_masked_logits(whole, [(), find_spans(whole, "pie")])[:, 1].tolist() == [2, 2]
    assert not baseline.compute_masked_logits(whole, [find_spans(whole, "apple"), find_spans(whole, "red")]).any()
    assert not baseline.compute_masked_logits(broken, [(), find_spans(broken, "sea")]).any()


def test_signs_that_are_no_words_can_be_masked_without_a_change() -> None:
    baseline = TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0)
    text = "red ... apple"
    found = baseline.compute_masked_logits(text, [(), find_spans(text, "...")])
    np.testing.assert_array_equal(found[0], found[1])


def test_a_word_is_gone_when_any_of_its_letters_is_masked() -> None:
    baseline = TfidfBaseline.fit(TEXTS, LABELS, 3, seed=0)
    found = baseline.compute_masked_logits("red apple", [[(0, 1)], [(2, 3)], [(0, 3)], [(3, 4)]])
    np.testing.assert_array_equal(found[:2], found[[2, 2]])
    np.testing.assert_allclose(found[3], baseline.compute_logits(["red apple"])[0], atol=1e-12)


def test_a_term_of_too_few_posts_is_not_learnt() -> None:
    posts = [*TEXTS, "red zanzibar", "red zanzibar"]
    labels = np.append(LABELS, [0, 0])
    often, rarely = (TfidfBaseline.fit(posts, labels, 3, seed=0, min_posts=n) for n in (3, 2))
    for model, is_known in ((often, False), (rarely, True)):
        assert bool(model.weigh_words("zanzibar").logits.any()) == is_known
    with pytest.raises(ValueError, match="no terms remain"):
        TfidfBaseline.fit(posts, labels, 3, seed=0, min_posts=8)
