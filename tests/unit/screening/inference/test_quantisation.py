"""A quantised classifier says nearly what the classifier says, whatever the batch, and nothing runs in its place."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from screening.exceptions import BundleError, NotCalibratedError
from screening.inference import backends, quantisation
from screening.inference.backends import is_installed, load_engine
from screening.inference.forward import Logits, compute_logits, run_engine
from screening.inference.openvino_models import compile_model, import_openvino, translate
from screening.inference.precision import compute_score_tolerance, detect_int8
from screening.inference.quantisation import quantise, read_quantised, require_int8_layers
from screening.inference.windows import split_into_windows
from screening.models.quantised import GRAPH_FILE, WEIGHTS_FILE, QuantisedModel

pytestmark = [
    pytest.mark.skipif(not is_installed("openvino"), reason="needs the extra openvino"),
    pytest.mark.skipif(not detect_int8(), reason="needs a CPU with exact int8"),
]
needs_nncf = pytest.mark.skipif(quantisation.find_spec("nncf") is None, reason="needs the extra int8")
WORDS = ("i", "feel", "so", "tired", "today", "tonight", "my", "dog", "is", "happy", "no", "sleep")


def make_texts(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, int(size))) for size in rng.integers(1, 90, n)]


TEXTS = make_texts(60, seed=1)


@pytest.fixture(scope="module", params=["bert", "roberta"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    name = request.param
    return request.getfixturevalue(f"{name}_classifier"), request.getfixturevalue(f"{name}_tokenizer")


@pytest.fixture(scope="module")
def quantised(pair: tuple[Any, Any]) -> QuantisedModel:
    if quantisation.find_spec("nncf") is None:
        pytest.skip("needs the extra int8")
    return quantise(pair[0], split_into_windows(pair[1], make_texts(40, seed=0), 60).token_ids)


def _run(pair: tuple[Any, Any], quantised: QuantisedModel, texts: list[str] = TEXTS, **options: Any) -> Logits:
    return run_engine(load_engine(pair[0], "openvino", "fp32", quantised), pair[1], texts, max_tokens=60, **options)


def test_a_quantised_classifier_says_nearly_what_the_classifier_says(
    pair: tuple[Any, Any], quantised: QuantisedModel
) -> None:
    exact = compute_logits(*pair, TEXTS, max_tokens=60, precision="fp32").logits
    found = _run(pair, quantised).logits
    assert not np.allclose(found, exact, atol=1e-3)  # it is quantised
    correlations = [np.corrcoef(found[:, i], exact[:, i])[0, 1] for i in range(exact.shape[1])]
    assert min(correlations) > 0.95, correlations


def test_a_post_scores_the_same_within_the_tolerance_whatever_its_batch(
    pair: tuple[Any, Any], quantised: QuantisedModel
) -> None:
    together = _run(pair, quantised, max_tokens_per_batch=10_000).logits
    alone = _run(pair, quantised, max_tokens_per_batch=1).logits
    reverse = _run(pair, quantised, TEXTS[::-1], max_tokens_per_batch=256).logits[::-1]
    tolerance = compute_score_tolerance("fp32", 1.0, "int8")
    np.testing.assert_allclose(alone, together, atol=tolerance)
    np.testing.assert_allclose(reverse, together, atol=tolerance)
    assert np.ptp(together[:, 0]) > 2 * tolerance  # the posts do differ


def test_what_is_read_from_files_scores_to_the_last_bit_as_what_was_quantised(
    pair: tuple[Any, Any], quantised: QuantisedModel, tmp_path: Path
) -> None:
    quantised.save(tmp_path)
    assert QuantisedModel.load(tmp_path) == quantised
    np.testing.assert_array_equal(_run(pair, QuantisedModel.load(tmp_path)).logits, _run(pair, quantised).logits)


@needs_nncf
def test_the_same_posts_give_the_same_weights(bert_classifier: Any, bert_tokenizer: Any) -> None:
    windows = split_into_windows(bert_tokenizer, make_texts(8, seed=0), 60).token_ids
    assert quantise(bert_classifier, windows).weights == quantise(bert_classifier, windows).weights


def test_a_missing_file_is_named_with_the_next_step(tmp_path: Path) -> None:
    QuantisedModel(b"<net/>", b"0").save(tmp_path)
    (tmp_path / WEIGHTS_FILE).unlink()
    with pytest.raises(BundleError, match=r"quantised\.bin.*calibrate the run again"):
        QuantisedModel.load(tmp_path)


def test_a_model_computed_in_floating_point_is_refused(bert_classifier: Any) -> None:
    with pytest.raises(NotCalibratedError, match="in floating point here"):
        require_int8_layers(compile_model(translate(bert_classifier), "fp32"))


def test_a_cpu_without_exact_int8_is_refused_before_any_work(
    bert_classifier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantisation, "detect_int8", lambda: False)
    for attempt in (
        lambda: load_engine(bert_classifier, "openvino", "fp32", QuantisedModel(b"", b"")),
        lambda: quantise(bert_classifier, [[1, 2]]),
    ):
        with pytest.raises(NotCalibratedError, match=r"AVX512-VNNI.*calibrate again here"):
            attempt()


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_a_limit_that_hides_exact_int8_from_openvino_is_refused(
    bert_classifier: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "AVX2")
    with pytest.raises(NotCalibratedError, match=f"and {name} limits them; unset it"):
        load_engine(bert_classifier, "openvino", "fp32", QuantisedModel(b"", b""))


@pytest.mark.parametrize("graph", [b"", b"no graph", None], ids=["empty", "garbage", "truncated"])
def test_a_graph_that_cannot_be_read_is_refused_with_the_next_step(
    bert_classifier: Any, small_quantised: QuantisedModel, graph: bytes | None
) -> None:
    damaged = small_quantised.graph[:-1000] if graph is None else graph
    with pytest.raises(BundleError, match=r"quantised\.xml and quantised\.bin are no model .*calibrate the run again"):
        load_engine(bert_classifier, "openvino", "fp32", QuantisedModel(damaged, small_quantised.weights))


@pytest.mark.parametrize("weights", [b"", b"no weights", None], ids=["empty", "garbage", "truncated"])
def test_weights_that_cannot_be_read_are_refused_with_the_next_step(
    bert_classifier: Any, small_quantised: QuantisedModel, weights: bytes | None
) -> None:
    damaged = small_quantised.weights[:-1] if weights is None else weights
    with pytest.raises(BundleError, match=r"quantised\.xml and quantised\.bin are no model .*calibrate the run again"):
        load_engine(bert_classifier, "openvino", "fp32", QuantisedModel(small_quantised.graph, damaged))


def test_a_graph_with_the_logits_of_other_labels_is_refused(
    build_classifier: Callable[..., Any], bert_tokenizer: Any, small_quantised: QuantisedModel
) -> None:
    classifier = build_classifier("bert", len(bert_tokenizer), labels=("a", "b", "c"))
    with pytest.raises(BundleError, match=r"expected 3 outputs, the first logits of 3 labels, found shapes \[\?,5\], "):
        load_engine(classifier, "openvino", "fp32", small_quantised)


@pytest.mark.parametrize(
    ("kept", "found"), [([0, 1], r"\[\?,5\], \[\?\]"), ([1, 0, 2], r"\[\?\], \[\?,5\], \[\?\]"), ([], "of none")]
)
def test_a_graph_with_other_outputs_is_refused(
    bert_classifier: Any, small_quantised: QuantisedModel, tmp_path: Path, kept: list[int], found: str
) -> None:
    openvino = import_openvino()
    whole = read_quantised(small_quantised, 5)
    outputs = [whole.outputs[i] for i in kept]
    other = openvino.Model(outputs, [] if not kept else whole.get_parameters())
    openvino.serialize(other, str(tmp_path / GRAPH_FILE), str(tmp_path / WEIGHTS_FILE))
    with pytest.raises(BundleError, match=f"found shapes {found}; it is another model's"):
        load_engine(bert_classifier, "openvino", "fp32", QuantisedModel.load(tmp_path))


def test_torch_does_not_stand_in_for_a_quantised_classifier(bert_classifier: Any) -> None:
    with pytest.raises(NotCalibratedError, match="runs on backend 'openvino' alone"):
        load_engine(bert_classifier, "torch", "fp32", QuantisedModel(b"", b""))


def test_a_missing_nncf_is_named_with_the_next_step(bert_classifier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantisation, "find_spec", lambda _: None)
    with pytest.raises(NotCalibratedError, match=r"pip install -e '\.\[int8\]'"):
        quantise(bert_classifier, [[1, 2]])


@pytest.mark.parametrize("module", [backends, quantisation])
def test_nncf_is_not_imported_until_it_is_needed(module: Any) -> None:
    code = f"import sys, {module.__name__}; print('nncf' in sys.modules, 'openvino' in sys.modules)"
    assert _run_python(code) == "False False"


@needs_nncf
def test_nncf_sends_no_usage_reports_and_leaves_logging_as_it_was() -> None:
    code = (
        "import logging, sys\n"
        "from screening.inference.quantisation import _import_nncf\n"
        "_import_nncf()\n"
        "from nncf.telemetry import telemetry\n"
        "print(sys.modules['openvino_telemetry'], type(telemetry).__name__, logging.getLoggerClass().__name__)"
    )  # a process of its own: under pytest NNCF sends nothing anyway
    assert _run_python(code) == "None MagicMock Logger"


def _run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
