"""Weights add up to the change of score, have the right sign, and say when they cannot be trusted."""

from typing import Any

import numpy as np
import pytest
import torch

from screening.explain.attribution import (
    AttributionSettings,
    attribute_tokens,
    compute_relative_delta,
)
from screening.explain.heads import build_score
from screening.explain.paths import build_baseline
from screening.taxonomy import Label, RiskTarget, Taxonomy, load_taxonomy

TEXTS = ["so tired today", "i", "my dog is happy " * 5, "", "i feel so tired 😀!"]


def _two_classes() -> Taxonomy:
    labels = tuple(Label(name=name, risk=name == "a", valence=0, arousal=0, source="test") for name in "ab")
    target = RiskTarget(name="a", labels=("a",), triage="review", description="the first")
    return Taxonomy(name="two", description="", label_meaning="", labels=labels, targets=(target,))


@pytest.fixture(params=["bert", "roberta"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    name = request.param
    return request.getfixturevalue(f"{name}_classifier"), request.getfixturevalue(f"{name}_tokenizer")


def test_linear_scores_are_shared_out_exactly(mean_of_words: Any, bert_tokenizer: Any) -> None:
    text = "so tired today"
    (found,) = attribute_tokens(
        mean_of_words, bert_tokenizer, [text], build_score("class:a", _two_classes()), max_tokens=60
    )
    embed, direction = mean_of_words.embedding.weight, mean_of_words.linear.weight[0] - mean_of_words.linear.weight[1]
    ids = torch.tensor(bert_tokenizer(text)["input_ids"])
    # log-odds of two classes = difference of their logits, linear in the mean: (e_i - e_mask) · (w_a - w_b) / n
    expected = (embed[ids] - embed[bert_tokenizer.mask_token_id]) @ direction / len(ids)
    expected[[0, -1]] = 0  # special tokens are the same in the baseline
    np.testing.assert_allclose(found.weights, expected.detach().numpy(), atol=1e-6)  # float32
    assert (found.n_steps, found.unreliable_because) == (12, "")


@pytest.mark.parametrize("head", ["class:suicidewatch", "class:any_risk", "valence", "intensity"])
def test_weights_sum_to_the_change_of_score(pair: tuple[Any, Any], head: str) -> None:
    score = build_score(head, load_taxonomy("mh5"))
    settings = AttributionSettings(delta_limit=0.01, max_steps=972)
    for found in attribute_tokens(*pair, TEXTS, score, max_tokens=60, settings=settings):
        assert found.is_reliable
        change = found.score - found.baseline_score
        assert found.weights.sum() == pytest.approx(change, abs=0.01 * abs(change) + 1e-9)
        assert found.weights[0] == found.weights[-1] == 0


def test_the_explained_score_is_that_of_the_post(bert_classifier: Any, bert_tokenizer: Any) -> None:
    score = build_score("class:any_risk", load_taxonomy("mh5"), temperature=2.0)
    found = attribute_tokens(bert_classifier, bert_tokenizer, TEXTS, score, max_tokens=60)
    for text, attribution in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            expected = score(bert_classifier(input_ids=bert_tokenizer(text, return_tensors="pt")["input_ids"]))
        assert attribution.score == pytest.approx(expected.item(), abs=1e-4)  # float32, other batch


def test_a_post_is_explained_the_same_alone_and_among_others(pair: tuple[Any, Any]) -> None:
    score = build_score("class:suicidewatch", load_taxonomy("mh5"))
    together = attribute_tokens(*pair, TEXTS, score, max_tokens=60)
    for text, expected in zip(TEXTS, together, strict=True):
        (alone,) = attribute_tokens(*pair, [text], score, max_tokens=60)
        np.testing.assert_allclose(alone.weights, expected.weights, atol=1e-4)  # float32 sums in another order
        assert alone.n_steps == expected.n_steps


def test_too_few_steps_are_marked_unreliable(pair: tuple[Any, Any]) -> None:
    score = build_score("class:suicidewatch", load_taxonomy("mh5"))
    capped = AttributionSettings(delta_limit=1e-4, first_steps=2, max_steps=7)  # 6, and no room for 18
    found = attribute_tokens(*pair, [TEXTS[0], TEXTS[2]], score, max_tokens=60, settings=capped)
    for attribution in found:
        assert not attribution.is_reliable
        assert attribution.n_steps == 6
        assert attribution.unreliable_because == "delta"
        assert attribution.delta_relative > 1e-4


def test_steps_grow_only_for_posts_that_need_them(bert_classifier: Any, bert_tokenizer: Any) -> None:
    score = build_score("class:suicidewatch", load_taxonomy("mh5"))
    settings = AttributionSettings(delta_limit=0.005, first_steps=8, max_steps=64)
    found = attribute_tokens(bert_classifier, bert_tokenizer, TEXTS, score, max_tokens=60, settings=settings)
    assert found[TEXTS.index("")].n_steps == 8
    assert len({attribution.n_steps for attribution in found}) > 1


def test_added_steps_come_to_what_all_of_them_at_once_would(pair: tuple[Any, Any]) -> None:
    score = build_score("class:suicidewatch", load_taxonomy("mh5"))
    grown, at_once = (
        attribute_tokens(
            *pair,
            TEXTS,
            score,
            max_tokens=60,
            settings=AttributionSettings(delta_limit=-1.0, first_steps=first, max_steps=18),
        )
        for first in (2, 18)
    )
    for some, all_of_them in zip(grown, at_once, strict=True):
        assert some.n_steps == all_of_them.n_steps == 18
        np.testing.assert_allclose(some.weights, all_of_them.weights, atol=1e-5)  # float32


def test_weights_and_mode_of_the_classifier_stay_as_they_were(bert_classifier: Any, bert_tokenizer: Any) -> None:
    bert_classifier.train()
    try:
        attribute_tokens(
            bert_classifier, bert_tokenizer, ["so"], build_score("valence", load_taxonomy("mh5")), max_tokens=60
        )
        assert bert_classifier.training
        assert all(parameter.requires_grad and parameter.grad is None for parameter in bert_classifier.parameters())
    finally:
        bert_classifier.eval()


def test_baseline_masks_words_also_unknown_ones_and_keeps_special_tokens(bert_tokenizer: Any) -> None:
    input_ids = bert_tokenizer(["so ✪ today", "i"], padding=True, return_tensors="pt")["input_ids"]
    baseline = bert_tokenizer.convert_ids_to_tokens(build_baseline(input_ids, bert_tokenizer)[1])
    assert bert_tokenizer.unk_token_id in input_ids[0]
    assert baseline == ["[CLS]", "[MASK]", "[SEP]", "[PAD]", "[PAD]"]
    assert bert_tokenizer.unk_token_id not in build_baseline(input_ids, bert_tokenizer)[0]


@pytest.mark.parametrize(("total", "change", "expected"), [(0.0, 0.0, 0.0), (0.1, 0.0, float("inf")), (1, -1, 2.0)])
def test_relative_delta_of_hand_worked_cases(total: float, change: float, expected: float) -> None:
    assert compute_relative_delta(total, change) == expected
