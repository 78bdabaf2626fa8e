"""Running a classifier fast and in input order."""

from screening.inference.backends import Engine, is_installed, load_engine
from screening.inference.batching import plan_batches
from screening.inference.forward import Logits, compute_logits, run_engine
from screening.inference.precision import describe_hardware, detect_precision, resolve_precision

__all__ = [
    "Engine",
    "Logits",
    "compute_logits",
    "describe_hardware",
    "detect_precision",
    "is_installed",
    "load_engine",
    "plan_batches",
    "resolve_precision",
    "run_engine",
]
