"""Masking a sentence takes away exactly its words' weights where the score is linear."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.calibration.temperature import TemperatureScaling
from screening.explain.explanations import explain_posts
from screening.explain.occlusion import COLUMN_TYPES, MAX_SENTENCES, find_sentences, occlude_sentences
from screening.taxonomy import Label, RiskTarget, Taxonomy

SENTENCES = ["I feel so tired today.", "My dog is happy!", "No sleep tonight"]
TEXTS = [" ".join(SENTENCES), "", "so tired", (" ".join(SENTENCES) + ".\n") * 3]
IDS = ["p1", "p2", "p3", "p4"]


@pytest.fixture
def linear_bundle(mean_of_words: Any, bert_tokenizer: Any) -> SimpleNamespace:
    labels = tuple(Label(name=name, risk=name == "a", valence=0, arousal=0, source="test") for name in "ab")
    target = RiskTarget(name="a", labels=("a",), triage="review", description="the first")
    manifest = SimpleNamespace(
        taxonomy=Taxonomy(name="two", description="", label_meaning="", labels=labels, targets=(target,)),
        temperature=TemperatureScaling(temperature=1.5, n_samples=100),
        max_tokens=20,
        long_posts="windows",
    )
    return SimpleNamespace(
        classifier=mean_of_words, tokenizer=bert_tokenizer, manifest=manifest, version="0" * 12, words=None
    )


def test_a_sentence_weighs_what_its_words_weigh_when_the_score_is_linear(linear_bundle: SimpleNamespace) -> None:
    sentences = occlude_sentences(linear_bundle, TEXTS, IDS)
    words = explain_posts(linear_bundle, TEXTS, IDS)
    for row in sentences.itertuples():
        inside = (words["post_id"] == row.post_id) & (words["start"] >= row.start) & (words["end"] <= row.end)
        assert row.weight == pytest.approx(words.loc[inside, "weight"].sum(), abs=1e-5)  # float32
    assert sentences.groupby("post_id").size().to_dict() == {"p1": 3, "p3": 1, "p4": 9}


def test_spans_are_sentences_of_the_post(linear_bundle: SimpleNamespace) -> None:
    table = occlude_sentences(linear_bundle, TEXTS, IDS)
    first = table[table["post_id"] == "p1"]
    assert [TEXTS[0][row.start : row.end] for row in first.itertuples()] == SENTENCES


def test_sentences_behind_the_cut_have_no_row(linear_bundle: SimpleNamespace) -> None:
    linear_bundle.manifest.long_posts = "cut"
    table = occlude_sentences(linear_bundle, TEXTS, IDS)
    assert 0 < (table["post_id"] == "p4").sum() < 9


def test_a_masked_sentence_scores_as_the_classifier_scores_it(bert_classifier: Any, bert_tokenizer: Any) -> None:
    import torch

    from screening.explain.heads import build_score
    from screening.taxonomy import load_taxonomy

    manifest = SimpleNamespace(
        taxonomy=load_taxonomy("mh5"),
        temperature=TemperatureScaling(temperature=1.0, n_samples=100),
        max_tokens=40,
        long_posts="windows",
    )
    bundle = SimpleNamespace(
        classifier=bert_classifier, tokenizer=bert_tokenizer, manifest=manifest, version="0" * 12, words=None
    )
    table = occlude_sentences(bundle, TEXTS[:1], IDS[:1], head="valence")
    whole = bert_tokenizer(TEXTS[0])["input_ids"]
    masked = [bert_tokenizer.mask_token_id if 1 <= i <= 6 else token for i, token in enumerate(whole)]
    with torch.no_grad():
        scores = [
            build_score("valence", manifest.taxonomy)(bert_classifier(torch.tensor([ids]))) for ids in (whole, masked)
        ]
    assert table["weight"][0] == pytest.approx(float(scores[0] - scores[1]), abs=1e-5)  # float32


def test_no_posts_give_an_empty_table_with_the_same_columns(linear_bundle: SimpleNamespace) -> None:
    table = occlude_sentences(linear_bundle, [], [])
    assert table.dtypes.astype(str).to_dict() == COLUMN_TYPES


def test_a_tokenizer_without_a_mask_is_refused(linear_bundle: SimpleNamespace) -> None:
    linear_bundle.tokenizer = SimpleNamespace(mask_token=None)
    with pytest.raises(ValueError, match="mask token"):
        occlude_sentences(linear_bundle, TEXTS, IDS)


def test_texts_and_ids_must_match(linear_bundle: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="4 texts and 1 ids"):
        occlude_sentences(linear_bundle, TEXTS, IDS[:1])


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two? Three", ["One.", "Two?", "Three"]),
        ('He said "no." Then left...', ['He said "no."', "Then left..."]),
        ("a list\nof lines\n\n", ["a list", "of lines"]),
        ("これは文です。次の文\uff01", ["これは文です。", "次の文\uff01"]),
        ("كيف حالك؟ بخير.", ["كيف حالك؟", "بخير."]),
        ("at 3.30 in the morning", ["at 3.30 in the morning"]),
        ("help 👩🏽‍🚒! cafe\u0301.", ["help 👩🏽‍🚒!", "cafe\u0301."]),
        (" \n ", []),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_say(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in find_sentences(text)] == sentences


@given(st.text(max_size=80) | st.text(alphabet="ab.!? \n。\u200d\u0301\"'", max_size=80))
def test_sentences_cover_everything_but_white_space_once_and_in_order(text: str) -> None:
    spans = find_sentences(text)
    covered = np.zeros(len(text), dtype=int)
    for start, end in spans:
        covered[start:end] += 1
        assert text[start:end] == text[start:end].strip()
    assert covered.max(initial=0) <= 1
    if len(spans) < MAX_SENTENCES:
        assert all(text[i].isspace() for i in np.flatnonzero(covered == 0))
    assert spans == sorted(spans)


def test_a_post_of_very_many_sentences_is_cut_into_64_parts() -> None:
    text = "no. " * 1_000
    spans = find_sentences(text)
    assert len(spans) == 64
    assert (spans[0][0], spans[-1][1]) == (0, len(text) - 1)


@pytest.mark.timeout(20)
def test_long_runs_of_signs_take_no_long_time() -> None:
    assert find_sentences("." * 200_000 + "x") == [(0, 200_001)]
    assert len(find_sentences("\n" * 100_000 + "x" + '."' * 100_000)) == 1


def test_the_table_can_stand_where_highlights_are_imported(linear_bundle: SimpleNamespace) -> None:
    table = occlude_sentences(linear_bundle, TEXTS, IDS)
    assert {"post_id", "head", "start", "end", "weight", "model_version"} == set(table.columns)
