"""For a linear score, masking words takes away exactly their weights."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from screening.explain.aggregation import WordWeight, find_words
from screening.explain.attribution import attribute_tokens
from screening.explain.explanations import weigh_words
from screening.explain.faithfulness import FRACTIONS, compute_faithfulness
from screening.explain.heads import build_score
from screening.explain.masking import MaskedScorer
from screening.taxonomy import Label, RiskTarget, Taxonomy

TEXTS = ["i feel so tired today my dog is happy no", "so tired today", ""]  # words of one piece each
PERCENTS = [round(100 * fraction) for fraction in FRACTIONS]


def _two_classes() -> Taxonomy:
    labels = tuple(Label(name=name, risk=name == "a", valence=0, arousal=0, source="test") for name in "ab")
    target = RiskTarget(name="a", labels=("a",), triage="review", description="the first")
    return Taxonomy(name="two", description="", label_meaning="", labels=labels, targets=(target,))


Explained = tuple[MaskedScorer, list[list[WordWeight]]]


@pytest.fixture
def explained(mean_of_words: Any, bert_tokenizer: Any) -> Explained:
    score = build_score("class:a", _two_classes())
    found = attribute_tokens(mean_of_words, bert_tokenizer, TEXTS, score, max_tokens=60)
    words = [weigh_words(bert_tokenizer, text, post, 60) for text, post in zip(TEXTS, found, strict=True)]
    return MaskedScorer(mean_of_words, bert_tokenizer, score, max_tokens=60), words


def _sum_top(post: list[WordWeight], fraction: float) -> float:
    n = int(np.ceil(fraction * len(post)))
    return sum(sorted((word.weight for word in post), reverse=True)[:n])


def test_falls_of_a_linear_score_are_sums_of_weights(explained: Explained) -> None:
    scorer, words = explained
    table = compute_faithfulness(scorer, TEXTS, words, rng=np.random.default_rng(0))
    totals = [sum(word.weight for word in post) for post in words]
    for percent, fraction in zip(PERCENTS, FRACTIONS, strict=True):
        top = [_sum_top(post, fraction) for post in words]
        np.testing.assert_allclose(table[f"comprehensiveness_{percent}"], top, atol=1e-5)  # fp32 sums
        np.testing.assert_allclose(table[f"sufficiency_{percent}"], np.subtract(totals, top), atol=1e-5)
    for kind in ("comprehensiveness", "sufficiency"):
        mean = table[[f"{kind}_{percent}" for percent in PERCENTS]].mean(axis=1)
        np.testing.assert_allclose(table[f"{kind}_aopc"], mean)
    assert table["n_words"].tolist() == [10, 3, 0]


def test_random_words_lose_their_share_of_all_weights_on_average(
    explained: Explained,
) -> None:
    scorer, words = explained
    table = compute_faithfulness(scorer, TEXTS[:1], words[:1], rng=np.random.default_rng(0), n_draws=2_000)
    weights = np.array([word.weight for word in words[0]])
    # the sum of k of n weights drawn without replacement has mean k / n of all of them, and this standard error
    for percent, k in ((10, 1), (20, 2), (50, 5)):
        error = np.sqrt(k * (1 - k / 10) * weights.var(ddof=1) / 2_000)
        assert abs(table[f"comprehensiveness_{percent}_random"][0] - weights.sum() * k / 10) < 4 * error


def test_top_words_beat_random_ones_on_a_linear_score(explained: Explained) -> None:
    scorer, words = explained
    for seed in range(5):
        rng = np.random.default_rng(seed)
        table = compute_faithfulness(scorer, TEXTS, words, rng=rng, n_draws=1)
        for name in (*PERCENTS, "aopc"):
            top, random = table[f"comprehensiveness_{name}"], table[f"comprehensiveness_{name}_random"]
            assert (top >= random - 1e-6).all()
            assert (table[f"sufficiency_{name}"] <= table[f"sufficiency_{name}_random"] + 1e-6).all()


def test_masking_does_not_pull_words_behind_the_window_into_it(mean_of_words: Any, bert_tokenizer: Any) -> None:
    """The word ``happiest`` is eight pieces; were it one mask, seven unread words would move up."""
    text, score = "happiest my my dog dog dog dog dog dog dog", build_score("class:a", _two_classes())
    scorer = MaskedScorer(mean_of_words, bert_tokenizer, score, max_tokens=13, long_posts="cut")
    post = [WordWeight(0, 8, 1.0), *(WordWeight(start, start + 2, 0.0) for start in (9, 12)), WordWeight(15, 18, 0.0)]
    table = compute_faithfulness(scorer, [text], [post], rng=np.random.default_rng(0))
    read = "happiest my my dog"
    masked = read.replace("happiest", 8 * "[MASK]")
    expected = _score(mean_of_words, bert_tokenizer, read, score) - _score(mean_of_words, bert_tokenizer, masked, score)
    assert table["comprehensiveness_1"][0] == pytest.approx(expected, abs=1e-5)


def _score(classifier: Any, tokenizer: Any, text: str, score: Any) -> float:
    encoded = tokenizer(text, return_tensors="pt")
    return float(score(classifier(encoded["input_ids"], encoded["attention_mask"])).detach()[0])


def test_words_of_every_window_of_a_long_post_can_be_masked(explained: Explained) -> None:
    """Windows are averaged by their tokens, so a linear score of them stays linear in the words."""
    scorer, _ = explained
    long = dataclasses.replace(scorer, max_tokens=12)
    text = "my dog is happy " * 8 + "tired"
    words = [WordWeight(start, end, float(end == len(text))) for start, end in find_words(text)]
    table = compute_faithfulness(long, [text], [words], rng=np.random.default_rng(0))
    whole, masked = long.compute_scores(long.list_versions(text, find_words(text), [np.array([len(words) - 1])]))
    assert table["comprehensiveness_1"][0] == pytest.approx(whole - masked, abs=1e-6)
    assert whole != masked
