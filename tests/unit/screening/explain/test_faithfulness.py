"""For a linear score, masking words takes away exactly their weights."""

from typing import Any

import numpy as np
import pytest

from screening.explain.aggregation import WordWeight
from screening.explain.attribution import attribute_tokens
from screening.explain.explanations import weigh_words
from screening.explain.faithfulness import compute_faithfulness, mask_words
from screening.explain.heads import build_score
from screening.taxonomy import Label, RiskTarget, Taxonomy

TEXTS = ["i feel so tired today my dog is happy no", "so tired today", ""]  # words of one piece each


def _two_classes() -> Taxonomy:
    labels = tuple(Label(name=name, risk=name == "a", valence=0, arousal=0, source="test") for name in "ab")
    target = RiskTarget(name="a", labels=("a",), triage="review", description="the first")
    return Taxonomy(name="two", description="", label_meaning="", labels=labels, targets=(target,))


@pytest.fixture
def explained(mean_of_words: Any, bert_tokenizer: Any) -> tuple[Any, Any, list[list[WordWeight]], Any]:
    score = build_score("class:a", _two_classes())
    found = attribute_tokens(mean_of_words, bert_tokenizer, TEXTS, score, max_tokens=60)
    words = [weigh_words(bert_tokenizer, text, post, 60) for text, post in zip(TEXTS, found, strict=True)]
    return mean_of_words, bert_tokenizer, words, score


def test_falls_of_a_linear_score_are_sums_of_weights(explained: tuple[Any, Any, list[list[WordWeight]], Any]) -> None:
    classifier, tokenizer, words, score = explained
    table = compute_faithfulness(
        classifier, tokenizer, TEXTS, words, score, max_tokens=60, rng=np.random.default_rng(0)
    )
    weights = [sorted((word.weight for word in post), reverse=True) for post in words]
    np.testing.assert_allclose(table["comprehensiveness"], [sum(weights[0][:2]), weights[1][0], 0], atol=1e-5)
    np.testing.assert_allclose(table["sufficiency"], [sum(weights[0][2:]), sum(weights[1][1:]), 0], atol=1e-5)
    assert table["n_chosen"].tolist() == [2, 1, 0]


def test_top_words_beat_random_ones_on_a_linear_score(explained: tuple[Any, Any, list[list[WordWeight]], Any]) -> None:
    classifier, tokenizer, words, score = explained
    for seed in range(5):
        rng = np.random.default_rng(seed)
        table = compute_faithfulness(classifier, tokenizer, TEXTS, words, score, max_tokens=60, rng=rng)
        assert (table["comprehensiveness"] >= table["comprehensiveness_random"] - 1e-6).all()
        assert (table["sufficiency"] <= table["sufficiency_random"] + 1e-6).all()


def test_masking_replaces_exactly_the_words() -> None:
    words = [WordWeight(0, 1, 0.0), WordWeight(5, 9, 0.0)]
    assert mask_words("😀 so tire...", words, "<m>") == "<m> so <m>..."
