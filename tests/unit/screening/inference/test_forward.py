"""Logits come back in input order, whatever the batches were."""

from typing import Any

import numpy as np
import pytest
import torch

from screening.inference.forward import Logits, compute_logits, pad_batch, tokenize

TEXTS = ["so tired today", "i", "my dog is happy " * 12, "no sleep tonight", "", "i feel so tired " * 40]
# fp32 sums in another order: the error of a two-layer model with logits around 1 stays below 1e-5.
TOLERANCE = 1e-5


def _run(classifier: Any, tokenizer: Any, texts: list[str], **options: Any) -> Logits:
    return compute_logits(classifier, tokenizer, texts, max_tokens=60, precision="fp32", **options)


@pytest.fixture(params=["bert", "roberta"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    name = request.param
    return request.getfixturevalue(f"{name}_classifier"), request.getfixturevalue(f"{name}_tokenizer")


def test_results_do_not_depend_on_batch_size_or_order(pair: tuple[Any, Any]) -> None:
    one_by_one = _run(*pair, TEXTS, max_tokens_per_batch=1)
    together = _run(*pair, TEXTS, max_tokens_per_batch=10_000)
    reverse = _run(*pair, TEXTS[::-1], max_tokens_per_batch=128)
    for name in ("logits", "valence", "intensity"):
        expected = getattr(one_by_one, name)
        np.testing.assert_allclose(getattr(together, name), expected, atol=TOLERANCE)
        np.testing.assert_allclose(getattr(reverse, name)[::-1], expected, atol=TOLERANCE)
    assert np.ptp(one_by_one.logits[:, 0]) > 100 * TOLERANCE  # the posts do differ


def test_a_post_scores_as_in_a_plain_call(bert_classifier: Any, bert_tokenizer: Any) -> None:
    encoded = bert_tokenizer("so tired today", return_tensors="pt")
    with torch.no_grad():
        expected = bert_classifier(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"])
    found = _run(bert_classifier, bert_tokenizer, TEXTS)
    np.testing.assert_allclose(found.logits[0], expected.logits[0].numpy(), atol=TOLERANCE)
    np.testing.assert_allclose(found.valence[0], expected.valence[0].item(), atol=TOLERANCE)


def test_long_posts_are_cut_with_the_closing_token_and_counted(bert_tokenizer: Any) -> None:
    token_ids, n_tokens = tokenize(bert_tokenizer, ["i feel so tired " * 40, "i feel"], 60)
    assert n_tokens.tolist() == [162, 4]
    assert len(token_ids[0]) == 60
    assert token_ids[0][-1] == bert_tokenizer.sep_token_id


def test_truncation_is_reported_only_where_text_was_left_out(bert_classifier: Any, bert_tokenizer: Any) -> None:
    texts = [" ".join(["i"] * 58), " ".join(["i"] * 59)]  # 60 and 61 tokens with the two special ones
    found = _run(bert_classifier, bert_tokenizer, texts)
    assert found.n_tokens.tolist() == [60, 61]
    assert found.is_truncated.tolist() == [False, True]


def test_no_texts_give_empty_arrays(bert_classifier: Any, bert_tokenizer: Any) -> None:
    found = _run(bert_classifier, bert_tokenizer, [])
    assert found.logits.shape == (0, 5)
    assert found.valence.shape == found.n_tokens.shape == found.is_truncated.shape == (0,)


def test_outputs_are_float32_also_in_bf16(bert_classifier: Any, bert_tokenizer: Any) -> None:
    exact = _run(bert_classifier, bert_tokenizer, TEXTS)
    reduced = compute_logits(bert_classifier, bert_tokenizer, TEXTS, max_tokens=60, precision="bf16")
    assert reduced.logits.dtype == reduced.valence.dtype == np.float32
    assert not np.array_equal(reduced.logits, exact.logits)
    np.testing.assert_allclose(reduced.logits, exact.logits, atol=0.5)  # 8 significant bits through two wide layers


@pytest.mark.parametrize("mode", [True, False])
def test_the_classifiers_mode_is_put_back(bert_classifier: Any, bert_tokenizer: Any, mode: bool) -> None:
    bert_classifier.train(mode)
    try:
        first = _run(bert_classifier, bert_tokenizer, TEXTS)
        second = _run(bert_classifier, bert_tokenizer, TEXTS)
        assert bert_classifier.training is mode
        np.testing.assert_array_equal(first.logits, second.logits)  # no dropout while scoring
    finally:
        bert_classifier.eval()


def test_progress_counts_up_to_the_number_of_posts(bert_classifier: Any, bert_tokenizer: Any) -> None:
    calls: list[tuple[int, int]] = []
    _run(bert_classifier, bert_tokenizer, TEXTS, max_tokens_per_batch=64, on_progress=lambda *call: calls.append(call))
    done = [n_done for n_done, _ in calls]
    assert done == sorted(set(done))
    assert calls[-1] == (len(TEXTS), len(TEXTS))


def test_padding_stays_inside_the_window() -> None:
    input_ids, attention_mask = pad_batch([[5] * 9, [5] * 3], pad_token_id=0, max_tokens=12)
    assert input_ids.shape == (2, 12)  # 16 would be the next multiple of eight
    assert attention_mask.sum(dim=1).tolist() == [9, 3]
    assert input_ids[1, 3:].eq(0).all()
