"""For a linear score, masking words takes away exactly their weights."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from screening.explain.aggregation import WordWeight
from screening.explain.attribution import attribute_tokens
from screening.explain.explanations import weigh_words
from screening.explain.faithfulness import FRACTIONS, compute_faithfulness, mask_words
from screening.explain.heads import build_score
from screening.taxonomy import Label, RiskTarget, Taxonomy

TEXTS = ["i feel so tired today my dog is happy no", "so tired today", ""]  # words of one piece each
PERCENTS = [round(100 * fraction) for fraction in FRACTIONS]


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


def _sum_top(post: list[WordWeight], fraction: float) -> float:
    n = int(np.ceil(fraction * len(post)))
    return sum(sorted((word.weight for word in post), reverse=True)[:n])


def test_falls_of_a_linear_score_are_sums_of_weights(explained: tuple[Any, Any, list[list[WordWeight]], Any]) -> None:
    classifier, tokenizer, words, score = explained
    table = compute_faithfulness(
        classifier, tokenizer, TEXTS, words, score, max_tokens=60, rng=np.random.default_rng(0)
    )
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
    explained: tuple[Any, Any, list[list[WordWeight]], Any],
) -> None:
    classifier, tokenizer, words, score = explained
    table = compute_faithfulness(
        classifier, tokenizer, TEXTS[:1], words[:1], score, max_tokens=60, rng=np.random.default_rng(0), n_draws=2_000
    )
    weights = np.array([word.weight for word in words[0]])
    # the sum of k of n weights drawn without replacement has mean k / n of all of them, and this standard error
    for percent, k in ((10, 1), (20, 2), (50, 5)):
        error = np.sqrt(k * (1 - k / 10) * weights.var(ddof=1) / 2_000)
        assert abs(table[f"comprehensiveness_{percent}_random"][0] - weights.sum() * k / 10) < 4 * error


def test_top_words_beat_random_ones_on_a_linear_score(explained: tuple[Any, Any, list[list[WordWeight]], Any]) -> None:
    classifier, tokenizer, words, score = explained
    for seed in range(5):
        rng = np.random.default_rng(seed)
        table = compute_faithfulness(classifier, tokenizer, TEXTS, words, score, max_tokens=60, rng=rng, n_draws=1)
        for name in (*PERCENTS, "aopc"):
            top, random = table[f"comprehensiveness_{name}"], table[f"comprehensiveness_{name}_random"]
            assert (top >= random - 1e-6).all()
            assert (table[f"sufficiency_{name}"] <= table[f"sufficiency_{name}_random"] + 1e-6).all()


def test_masking_does_not_pull_words_behind_the_window_into_it(mean_of_words: Any, bert_tokenizer: Any) -> None:
    """The word ``happiest`` is eight pieces; once masked it is one, and seven unread words would move up."""
    text, score = "happiest my my dog dog dog dog dog dog dog", build_score("class:a", _two_classes())
    (found,) = attribute_tokens(mean_of_words, bert_tokenizer, [text], score, max_tokens=13)
    words = weigh_words(bert_tokenizer, text, found, 13)
    assert text[words[-1].start : words[-1].end] == "dog"
    assert words[-1].end < len(text)  # the model did not read to the end
    post = [word._replace(weight=float(word.start == 0)) for word in words]
    rng = np.random.default_rng(0)
    table = compute_faithfulness(mean_of_words, bert_tokenizer, [text], [post], score, max_tokens=13, rng=rng)
    read, masked = text[: words[-1].end], "[MASK]" + text[words[0].end : words[-1].end]
    expected = _score(mean_of_words, bert_tokenizer, read, score) - _score(mean_of_words, bert_tokenizer, masked, score)
    assert table["comprehensiveness_1"][0] == pytest.approx(expected, abs=1e-5)


def _score(classifier: Any, tokenizer: Any, text: str, score: Any) -> float:
    encoded = tokenizer(text, return_tensors="pt")
    return float(score(classifier(encoded["input_ids"], encoded["attention_mask"])).detach()[0])


def test_progress_counts_every_different_text_once(explained: tuple[Any, Any, list[list[WordWeight]], Any]) -> None:
    classifier, tokenizer, words, score = explained
    seen: list[tuple[int, int]] = []
    compute_faithfulness(
        classifier, tokenizer, TEXTS, words, score, max_tokens=60, rng=np.random.default_rng(0),
        on_progress=lambda n_done, n: seen.append((n_done, n)),
    )  # fmt: skip
    assert seen[-1][0] == seen[-1][1] < 3 * (1 + 6 * 5 * 2)


def test_a_tokenizer_without_a_mask_is_refused(explained: tuple[Any, Any, list[list[WordWeight]], Any]) -> None:
    classifier, _, words, score = explained
    with pytest.raises(ValueError, match="mask token"):
        compute_faithfulness(
            classifier, SimpleNamespace(mask_token=None), TEXTS, words, score, max_tokens=60,
            rng=np.random.default_rng(0),
        )  # fmt: skip


def test_masking_replaces_exactly_the_words() -> None:
    words = [WordWeight(0, 1, 0.0), WordWeight(5, 9, 0.0)]
    assert mask_words("😀 so tire...", words, "<m>") == "<m> so <m>..."
