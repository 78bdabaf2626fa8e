"""Running a classifier fast and in input order."""

from screening.inference.batching import plan_batches
from screening.inference.forward import Logits, compute_logits
from screening.inference.precision import describe_hardware, detect_precision, resolve_precision

__all__ = ["Logits", "compute_logits", "describe_hardware", "detect_precision", "plan_batches", "resolve_precision"]
