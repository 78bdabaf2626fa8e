"""What runs a classifier: torch itself, or OpenVINO, which fuses an encoder's layers and is faster on a CPU."""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from screening.config import Backend, Quantisation
from screening.exceptions import NotCalibratedError
from screening.inference.openvino_models import OPENVINO_TYPES, OUTPUTS, compile_model, translate
from screening.inference.precision import Precision
from screening.inference.quantisation import read_quantised, require_int8_cpu, require_int8_layers, require_nncf
from screening.models.quantised import QuantisedModel
from screening.threads import limit_threads

Outputs = dict[str, NDArray[np.float32]]


class Engine(Protocol):
    """A classifier made ready to run.

    Called with ``input_ids`` and ``attention_mask``, tensors of int64 and shape (n_windows, n_tokens), it returns
    ``logits`` of shape (n_windows, n_classes), ``valence`` and ``intensity`` of shape (n_windows,).
    """

    @property
    def n_classes(self) -> int:
        """Number of logits."""

    @property
    def device_type(self) -> str:
        """``cpu`` or ``cuda``; sets the default size of a batch."""

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Outputs:
        """Run one padded batch."""


@dataclass(frozen=True)
class TorchEngine:
    """The classifier as it is, on the device it lives on, its matrix products in bfloat16 if asked for.

    The classifier is put in evaluation mode for a call, then back.
    """

    classifier: Any
    precision: Precision

    @property
    def n_classes(self) -> int:
        """Number of logits."""
        return int(self.classifier.config.num_labels)

    @property
    def device_type(self) -> str:
        """``cpu`` or ``cuda``."""
        return str(next(self.classifier.parameters()).device.type)

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Outputs:
        """Run one padded batch."""
        device = next(self.classifier.parameters()).device
        reduced = torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")
        was_training = self.classifier.training
        self.classifier.eval()
        try:
            with torch.inference_mode(), reduced:
                found = self.classifier(input_ids=input_ids.to(device), attention_mask=attention_mask.to(device))
        finally:
            self.classifier.train(was_training)
        return {name: getattr(found, name).float().cpu().numpy() for name in OUTPUTS}


@dataclass(frozen=True)
class OpenVinoEngine:
    """The classifier translated by OpenVINO; later changes of the classifier's weights do not reach it."""

    compiled: Any
    n_classes: int
    device_type: str = "cpu"

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Outputs:
        """Run one padded batch; a request of its own, so that threads may share an engine."""
        found = self.compiled.create_infer_request().infer((input_ids.numpy(), attention_mask.numpy()))
        return {name: found[i] for i, name in enumerate(OUTPUTS)}


def load_engine(
    classifier: Any, backend: Backend, precision: Precision, quantised: QuantisedModel | None = None
) -> Engine:
    """Make a classifier ready to run.

    Parameters
    ----------
    classifier : RiskClassifier
    backend : {"torch", "openvino"}
        ``openvino`` runs on the CPU and needs the extra of that name.
    precision : {"bf16", "fp32"}
        Of all that is not quantised.
    quantised : QuantisedModel, optional
        The same classifier in int8, to run in its place; ``openvino`` alone runs one.

    Raises
    ------
    NotCalibratedError
        If OpenVINO is not installed, the classifier is on another device, or this CPU would compute in another
        precision than asked for: no other path may stand in for the one asked for.
    BundleError
        If the quantised classifier cannot be read, or has other outputs than the classifier.
    """
    limit_threads()
    if backend == "openvino":
        return _load_openvino(classifier, precision, quantised)
    if quantised is not None:
        message = "a classifier quantised to int8 runs on backend 'openvino' alone, found 'torch'; calibrate again"
        raise NotCalibratedError(message)
    return TorchEngine(classifier, precision)


def is_installed(backend: Backend) -> bool:
    """Whether a backend's package is there."""
    return backend == "torch" or find_spec(backend) is not None


def find_versions(backend: Backend) -> dict[str, str]:
    """Find the versions of the packages whose arithmetic a score comes from."""
    packages = ["tokenizers", "transformers", "torch"] + ["openvino"] * (backend == "openvino")
    return {name: version(name).partition("+")[0] for name in packages}


def require_backend(backend: Backend, quantisation: Quantisation) -> None:
    """Refuse packages or a CPU that calibrating with this backend would lack, at a time when nothing is lost by it.

    Raises
    ------
    NotCalibratedError
        Says what is missing and what to do.
    """
    if backend == "openvino":
        _require_openvino()
    if quantisation == "int8":
        require_int8_cpu()
        require_nncf()


def _require_openvino() -> None:
    if not is_installed("openvino"):
        message = (
            "backend 'openvino' is asked for and OpenVINO is not installed. Run in the project's folder: "
            ".venv/bin/pip install -e '.[openvino]' -c constraints.txt; or calibrate again with inference.backend=torch"
        )
        raise NotCalibratedError(message)


def _load_openvino(classifier: Any, precision: Precision, quantised: QuantisedModel | None = None) -> OpenVinoEngine:
    _require_openvino()
    device = next(classifier.parameters()).device.type
    if device != "cpu":
        message = f"backend 'openvino' runs on the CPU alone, found a classifier on {device!r}; use device 'cpu'"
        raise NotCalibratedError(message)
    n_labels = int(classifier.config.num_labels)
    if quantised is None:
        compiled = compile_model(translate(classifier), precision)
    else:
        require_int8_cpu()
        compiled = compile_model(read_quantised(quantised, n_labels), precision)
        require_int8_layers(compiled)
    found = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
    if found != OPENVINO_TYPES[precision]:
        message = (
            f"OpenVINO computes in {found} on this CPU where {precision} is asked for, and a recall promise holds for "
            f"one precision alone; calibrate again here with training.precision=auto"
        )
        raise NotCalibratedError(message)
    return OpenVinoEngine(compiled, n_labels)
