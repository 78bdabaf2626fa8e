"""Logits come back in input order, whatever the batches were."""

import threading
from typing import Any

import numpy as np
import pytest
import torch

from screening.inference.forward import Logits, compute_logits, pad_batch, run_engine
from screening.inference.windows import split_into_windows

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


def test_a_long_post_is_read_to_its_end_unless_it_is_to_be_cut(bert_classifier: Any, bert_tokenizer: Any) -> None:
    texts = [" ".join(["i"] * 58), " ".join(["i"] * 59)]  # 60 and 61 tokens with the two special ones
    read = _run(bert_classifier, bert_tokenizer, texts)
    cut = _run(bert_classifier, bert_tokenizer, texts, long_posts="cut")
    assert read.n_tokens.tolist() == cut.n_tokens.tolist() == [60, 61]
    assert (read.n_windows.tolist(), cut.n_windows.tolist()) == ([1, 2], [1, 1])
    assert (read.is_truncated.tolist(), cut.is_truncated.tolist()) == ([False, False], [False, True])


def test_a_long_post_has_the_mean_of_its_windows(pair: tuple[Any, Any]) -> None:
    text = "my dog is happy so tired today " * 30
    found = _run(*pair, [text])
    windows = split_into_windows(pair[1], [text], 60)
    pieces = [torch.tensor([ids]) for ids in windows.token_ids]
    with torch.no_grad():
        outputs = [pair[0](input_ids=ids, attention_mask=torch.ones_like(ids)) for ids in pieces]
    expected = sum(w * output.logits[0].double() for w, output in zip(windows.weights, outputs, strict=True))
    assert len(pieces) > 3
    np.testing.assert_allclose(found.logits[0], expected, atol=TOLERANCE)
    assert np.ptp([float(output.logits[0, 0]) for output in outputs]) > 100 * TOLERANCE  # the windows do differ


def test_progress_counts_posts_read_to_their_end(bert_classifier: Any, bert_tokenizer: Any) -> None:
    seen: list[tuple[int, int]] = []
    texts = ["i feel so tired " * 40, "so tired"]
    _run(
        bert_classifier,
        bert_tokenizer,
        texts,
        max_tokens_per_batch=1,
        on_progress=lambda done, all_: seen.append((done, all_)),
    )
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) == 4  # three windows and the short post
    assert seen[-1] == (2, 2)


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


def test_padding_stays_inside_the_window() -> None:
    input_ids, attention_mask = pad_batch([[5] * 9, [5] * 3], pad_token_id=0, max_tokens=12)
    assert input_ids.shape == (2, 12)  # 16 would be the next multiple of eight
    assert attention_mask.sum(dim=1).tolist() == [9, 3]
    assert input_ids[1, 3:].eq(0).all()


def test_chunks_of_posts_give_what_one_chunk_gives(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _run(*pair, TEXTS)
    monkeypatch.setattr("screening.inference.forward.POSTS_PER_CHUNK", 2)
    done: list[tuple[int, int]] = []
    found = _run(*pair, TEXTS, on_progress=lambda *counts: done.append(counts))
    for name in ("logits", "valence", "intensity"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), atol=TOLERANCE)
    assert found.n_tokens.tolist() == whole.n_tokens.tolist()
    assert found.n_windows.tolist() == whole.n_windows.tolist()
    assert done == sorted(done)
    assert done[-1] == (len(TEXTS), len(TEXTS))


def test_posts_are_tokenised_while_those_before_are_computed(
    bert_classifier: Any, bert_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screening.inference.forward.POSTS_PER_CHUNK", 2)
    is_last_read = threading.Event()

    class Recording:
        """The tokenizer, which tells when it reads the last post."""

        def __call__(self, texts: list[str] | str, **options: Any) -> Any:
            if TEXTS[-1] in texts:
                is_last_read.set()
            return bert_tokenizer(texts, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(bert_tokenizer, name)

    waited: list[bool] = []

    class Waiting:
        """An engine that computes nothing of the second chunk before the third is tokenised."""

        n_classes, device_type = 5, "cpu"

        def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            if not waited:
                waited.append(True)
            else:
                waited.append(is_last_read.wait(30))
            n = len(input_ids)
            return {"logits": np.zeros((n, 5)), "valence": np.zeros(n), "intensity": np.zeros(n)}

    run_engine(Waiting(), Recording(), TEXTS, max_tokens=60, max_tokens_per_batch=10_000)
    assert len(waited) > 2
    assert all(waited)
