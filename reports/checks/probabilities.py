"""Checks of the numbers a score is made of: calibrated probabilities, and the arithmetic they were made in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.check import Check, CheckKind
from reports.results import binarize_labels, encode_labels, extract_probabilities
from reports.sections.calibration import MAX_ECE_RISE, compute_unscaled_probabilities, keep_read_posts
from screening.metrics.calibration import compute_calibration_error, compute_top_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from reports.results import RunResults

GAIN = CheckKind(code="SCR005", title="Calibration helps", severity="major")
PRECISION = CheckKind(code="SCR012", title="Precision as calibrated", severity="critical")


def check_calibration_gain(results: RunResults) -> Check:
    """SCR005: temperature scaling did not make probabilities worse."""
    if results.temperature is None:
        return GAIN.conclude("not_applicable", "Probabilities are not temperature-scaled.")
    results = keep_read_posts(results)
    before = dict(_compute_errors(results, compute_unscaled_probabilities(results)))
    after = dict(_compute_errors(results, extract_probabilities(results.test, results.taxonomy)))
    worse = [name for name in after if after[name] > before[name] + MAX_ECE_RISE]
    if worse:
        words = "; ".join(f"{name} {before[name]:.3f} before, {after[name]:.3f} after" for name in worse)
        return GAIN.conclude("warn", f"Calibration error rose with temperature scaling: {words}.")
    words = f"No calibration error rose by more than {MAX_ECE_RISE:.2f} with temperature scaling."
    return GAIN.conclude("pass", words)


def _compute_errors(results: RunResults, probabilities: np.ndarray) -> Iterator[tuple[str, float]]:
    """Compute the calibration error of the most probable class and of every risk score, on test."""
    top = compute_top_label(encode_labels(results.test, results.taxonomy), probabilities)
    yield "most probable class", compute_calibration_error(*top)
    for target in results.targets:
        risk = probabilities[:, results.taxonomy.target_indices(target)].sum(axis=1).clip(0, 1)
        yield f"risk {target.name}", compute_calibration_error(binarize_labels(results.test, target), risk)


def check_precision(results: RunResults) -> Check:
    """SCR012: test posts were scored by the calibrated bundle, in the arithmetic its thresholds were chosen in."""
    info = results.run_info
    calibrated, evaluated = info.get("precision"), info.get("evaluated_precision")
    version = info.get("bundle_version")
    others = sorted(set(results.test.get("model_version", [])) - {version}) if version else []
    if others:
        words = (
            f"Test posts were scored by bundle {', '.join(map(str, others[:3]))}, the thresholds belong to {version}"
        )
        return PRECISION.conclude("fail", f"{words}: evaluate again.")
    if calibrated is None or evaluated is None:
        return PRECISION.conclude("not_measured", "The run does not say in which precision its scores were computed.")
    if calibrated != evaluated:
        words = f"Thresholds were chosen in {calibrated}, test posts scored in {evaluated}: the promise does not carry."
        return PRECISION.conclude("fail", words)
    if "bf16" in calibrated and _is_emulated(info.get("hardware", {})):
        words = "Thresholds and test scores were made in bf16, emulated here: native bf16 may round differently."
        return PRECISION.conclude("notice", words)
    words = f"Thresholds and test scores were both made in {calibrated}; scoring in another precision is refused."
    return PRECISION.conclude("pass", words)


def _is_emulated(hardware: dict[str, object]) -> bool:
    """Whether the machine said that nothing in it multiplies bfloat16 natively."""
    known = [hardware[name] for name in ("amx", "avx512_bf16", "cuda") if name in hardware]
    return bool(known) and not any(known)
