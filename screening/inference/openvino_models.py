"""Classifiers as models of OpenVINO's: translated from torch and compiled for this CPU."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from screening.inference.precision import Precision

OUTPUTS = ("logits", "valence", "intensity")
OPENVINO_TYPES: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}


def import_openvino() -> Any:
    """Import OpenVINO without its usage reports, which it sends by default, over the network, when imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: an import of it fails
    import openvino

    return openvino


def translate(classifier: Any) -> Any:
    """Translate a classifier to a model of OpenVINO's, for batches of any shape."""
    openvino = import_openvino()
    example = torch.ones(2, 16, dtype=torch.long)
    shapes = [openvino.PartialShape([-1, -1])] * 2
    was_training = classifier.training
    classifier.eval()
    try:
        with _quiet():
            return openvino.convert_model(_Flat(classifier), example_input=(example, example), input=shapes)
    finally:
        classifier.train(was_training)


def compile_model(model: Any, precision: Precision) -> Any:
    """Compile a model for this CPU, with as many threads as torch uses."""
    settings = {
        "INFERENCE_PRECISION_HINT": OPENVINO_TYPES[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
    }
    return import_openvino().Core().compile_model(model, "CPU", settings)


class _Flat(nn.Module):
    """A classifier that returns a tuple, which is what can be traced."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        found = self.classifier(input_ids=input_ids, attention_mask=attention_mask)
        return tuple(getattr(found, name) for name in OUTPUTS)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what tracing says about code that is not ours: Python values it takes for constants, loss functions."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
