"""Every backend says what the classifier says, in input order, and none stands in for another."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from screening.config import Backend
from screening.exceptions import NotCalibratedError
from screening.inference import backends, openvino_models
from screening.inference.backends import is_installed, load_engine
from screening.inference.forward import Logits, compute_logits, run_engine

needs_openvino = pytest.mark.skipif(not is_installed("openvino"), reason="needs the extra openvino")
BACKENDS = ["torch", pytest.param("openvino", marks=needs_openvino)]
TEXTS = ["so tired today", "i", "my dog is happy " * 12, "no sleep tonight", "", "i feel so tired " * 40]
TOLERANCE = 1e-5  # as in test_forward: fp32 sums in another order


@pytest.fixture(params=["bert", "roberta"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    name = request.param
    return request.getfixturevalue(f"{name}_classifier"), request.getfixturevalue(f"{name}_tokenizer")


def _run(pair: tuple[Any, Any], backend: Backend, texts: list[str] = TEXTS, **options: Any) -> Logits:
    return run_engine(load_engine(pair[0], backend, "fp32"), pair[1], texts, max_tokens=60, **options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_says_what_the_classifier_says_whatever_the_batches(pair: tuple[Any, Any], backend: Backend) -> None:
    expected = compute_logits(*pair, TEXTS, max_tokens=60, precision="fp32", max_tokens_per_batch=1)
    together = _run(pair, backend, max_tokens_per_batch=10_000)
    reverse = _run(pair, backend, TEXTS[::-1], max_tokens_per_batch=128)
    for name in ("logits", "valence", "intensity"):
        np.testing.assert_allclose(getattr(together, name), getattr(expected, name), atol=TOLERANCE)
        np.testing.assert_allclose(getattr(reverse, name)[::-1], getattr(expected, name), atol=TOLERANCE)
    assert np.ptp(expected.logits[:, 0]) > 100 * TOLERANCE  # the posts do differ


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_texts_give_empty_arrays(pair: tuple[Any, Any], backend: Backend) -> None:
    assert _run(pair, backend, []).logits.shape == (0, 5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_may_share_an_engine(bert_classifier: Any, backend: Backend) -> None:
    engine = load_engine(bert_classifier, backend, "fp32")
    batches = [torch.randint(5, 20, (4, width), generator=torch.manual_seed(width)) for width in (8, 16, 24, 56)] * 5
    expected = [engine(ids, torch.ones_like(ids))["logits"] for ids in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda ids: engine(ids, torch.ones_like(ids))["logits"], batches))
    for logits, alone in zip(found, expected, strict=True):
        np.testing.assert_allclose(logits, alone, atol=TOLERANCE)


@needs_openvino
def test_openvino_sends_no_usage_reports(bert_classifier: Any) -> None:
    load_engine(bert_classifier, "openvino", "fp32")
    assert sys.modules["openvino_telemetry"] is None


@needs_openvino
@pytest.mark.parametrize("mode", [True, False])
def test_the_classifiers_mode_is_put_back(bert_classifier: Any, mode: bool) -> None:
    bert_classifier.train(mode)
    try:
        load_engine(bert_classifier, "openvino", "fp32")
        assert bert_classifier.training is mode
    finally:
        bert_classifier.eval()


@needs_openvino
def test_openvino_refuses_to_compute_in_another_precision(
    bert_classifier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(openvino_models.OPENVINO_TYPES, "bf16", "f32")  # as on a CPU that has no bfloat16
    compiled = openvino_models.compile_model(openvino_models.translate(bert_classifier), "bf16")
    monkeypatch.undo()
    monkeypatch.setattr(backends, "compile_model", lambda *_: compiled)
    with pytest.raises(NotCalibratedError, match="computes in f32 on this CPU where bf16 is asked for"):
        load_engine(bert_classifier, "openvino", "bf16")


def test_a_missing_package_is_named_with_the_next_step(bert_classifier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    with pytest.raises(NotCalibratedError, match=r"pip install -e '\.\[openvino\]'"):
        load_engine(bert_classifier, "openvino", "fp32")


def test_openvino_is_refused_off_the_cpu(bert_classifier: Any) -> None:
    elsewhere = type(bert_classifier)(bert_classifier.config).to("meta")
    with pytest.raises(NotCalibratedError, match="runs on the CPU alone"):
        backends._load_openvino(elsewhere, "fp32")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.5)])
def test_cuda_agrees_with_the_cpu(pair: tuple[Any, Any], precision: str, tolerance: float) -> None:
    expected = compute_logits(*pair, TEXTS, max_tokens=60, precision="fp32")
    try:
        found = compute_logits(pair[0].to("cuda"), pair[1], TEXTS, max_tokens=60, precision=precision)
    finally:
        pair[0].to("cpu")
    np.testing.assert_allclose(found.logits, expected.logits, atol=tolerance)
