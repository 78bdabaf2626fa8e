"""INT8: matrix products of 8-bit integers, in ranges measured once on training posts; the rest stays as it is.

NNCF does the measuring, when a run is calibrated. Scoring reads the result with OpenVINO alone.
"""

import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from screening.exceptions import BundleError, NotCalibratedError
from screening.inference.openvino_models import OUTPUTS, import_openvino, translate
from screening.inference.precision import detect_int8
from screening.models.quantised import GRAPH_FILE, WEIGHTS_FILE, QuantisedModel

N_POSTS = 96  # training posts the ranges are measured on; took a minute with the embedded encoder and 512 tokens
_INTEGERS = {"i8", "u8"}
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")  # OpenVINO's kernels read both; they hide VNNI, not from torch


def quantise(classifier: Any, token_ids: Sequence[Sequence[int]]) -> QuantisedModel:
    """Quantise a classifier's matrix products to int8, weights and activations, after training.

    Parameters
    ----------
    classifier : RiskClassifier
        On the CPU; stays as it is.
    token_ids : sequence of sequences of int, length n_windows
        Windows of training posts, not padded (:func:`~screening.inference.windows.split_into_windows`). At least one.

    Returns
    -------
    QuantisedModel
        The same weights for the same windows.

    Raises
    ------
    NotCalibratedError
        If NNCF is not installed, or this CPU has no exact int8.

    Notes
    -----
    Ranges are fixed numbers, one per tensor of activations: a post's score does not depend on the posts beside it,
    except through rounding.
    """
    require_int8_cpu()
    nncf, openvino = _import_nncf(), import_openvino()
    windows = [np.array([ids], dtype=np.int64) for ids in token_ids]
    dataset = nncf.Dataset([(ids, np.ones_like(ids)) for ids in windows])
    transformer = nncf.ModelType.TRANSFORMER
    with warnings.catch_warnings(), redirect_stdout(StringIO()):  # NNCF draws progress bars
        warnings.simplefilter("ignore")
        model = nncf.quantize(translate(classifier), dataset, model_type=transformer, subset_size=len(windows))
    with TemporaryDirectory(prefix="screening-") as folder:
        openvino.serialize(model, str(Path(folder) / GRAPH_FILE), str(Path(folder) / WEIGHTS_FILE))
        del model  # holds the files' memory
        return QuantisedModel.load(Path(folder))


def read_quantised(quantised: QuantisedModel, n_labels: int) -> Any:
    """Read a quantised classifier as a model of OpenVINO's.

    Raises
    ------
    BundleError
        If OpenVINO cannot read it, or it is not a classifier of so many labels.
    """
    openvino = import_openvino()
    try:
        model = openvino.Core().read_model(model=quantised.graph, weights=quantised.weights)
    except RuntimeError as error:
        message = f"{GRAPH_FILE} and {WEIGHTS_FILE} are no model that OpenVINO can read; calibrate the run again"
        raise BundleError(message) from error
    shapes = [output.get_partial_shape() for output in model.outputs]
    if len(shapes) != len(OUTPUTS) or not shapes[0].refines(openvino.PartialShape([-1, n_labels])):
        message = (
            f"{GRAPH_FILE}: expected {len(OUTPUTS)} outputs, the first logits of {n_labels} labels, found shapes "
            f"{', '.join(map(str, shapes)) or 'of none'}; it is another model's, calibrate the run again"
        )
        raise BundleError(message)
    return model


def require_int8_cpu() -> None:
    """Refuse a CPU without exact int8, or kept from it: it would cut off sums the thresholds were chosen with."""
    for name in _LIMITS:
        if os.environ.get(name, "DEFAULT").upper() not in {"DEFAULT", "ALL"}:
            message = (
                f"inference.quantisation=int8 needs all instructions of this CPU, and {name} limits them; unset it"
            )
            raise NotCalibratedError(message)
    if not detect_int8():
        message = (
            "inference.quantisation=int8 needs a CPU with AVX512-VNNI, AVX-VNNI or AMX-INT8, and this one has none: it "
            "would round otherwise than promised; calibrate again here with inference.quantisation=none"
        )
        raise NotCalibratedError(message)


def require_int8_layers(compiled: Any) -> None:
    """Refuse a compiled model that OpenVINO computes in floating point after all."""
    infos = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    if not any(info["runtimePrecision"].value in _INTEGERS for info in infos if _is_product(info)):
        message = (
            "OpenVINO computes a classifier that was quantised to int8 in floating point here, and a recall promise "
            "holds for one arithmetic alone; calibrate again here with inference.quantisation=none"
        )
        raise NotCalibratedError(message)


def _is_product(info: Any) -> bool:
    return info["layerType"].value in {"FullyConnected", "MatMul"}


def require_nncf() -> None:
    """Refuse an environment that cannot quantise."""
    if find_spec("nncf") is None:
        message = (
            "inference.quantisation=int8 is asked for and NNCF, which quantises, is not installed. Run in the "
            "project's folder: .venv/bin/pip install -e '.[int8]' -c constraints.txt; or calibrate again with "
            "inference.quantisation=none"
        )
        raise NotCalibratedError(message)


def _import_nncf() -> Any:
    """Import NNCF without usage reports, log lines or its own class for every logger made later."""
    require_nncf()
    import_openvino()  # blocks usage reports: NNCF sends them through the same package
    logger_class = logging.getLoggerClass()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import nncf
    finally:
        logging.setLoggerClass(logger_class)
    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own function would also set handlers that others added
    return nncf
