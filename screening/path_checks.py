"""Whether a bundle's promise can hold where it is loaded: its own path, and the numbers it was calibrated on."""

import logging
from collections.abc import Mapping

from screening.bundle import BundleManifest
from screening.exceptions import NotCalibratedError
from screening.inference.backends import find_versions
from screening.inference.precision import compute_score_tolerance
from screening.inference.scoring_path import ScoringPath
from screening.reference_posts import REFERENCE_POSTS, measure_distance

logger = logging.getLogger(__name__)


def validate_promise(manifest: BundleManifest, wanted: Mapping[str, str]) -> None:
    """Make sure that a bundle promises something for every target, and nothing else than its own path is asked for.

    Parameters
    ----------
    manifest : BundleManifest
    wanted : dict of str to str
        Choices by the config's name for them; ``auto`` is the bundle's own.

    Raises
    ------
    NotCalibratedError
    """
    calibrated_on = {
        "training.precision": manifest.precision,
        "inference.backend": manifest.backend,
        "inference.quantisation": manifest.quantisation,
    }
    for name, value in wanted.items():
        if value not in {"auto", calibrated_on[name]}:
            message = (
                f"bundle {manifest.name!r} was calibrated with {name}={calibrated_on[name]}, and its recall promise "
                f"holds for that alone; found {value!r}. Use 'auto', or calibrate again with {name}={value}"
            )
            raise NotCalibratedError(message)
    calibrated = {point.name for point in manifest.operating_points}
    missing = sorted({target.name for target in manifest.taxonomy.targets} - calibrated)
    if missing:
        message = f"bundle {manifest.name!r} has no operating point for {missing}; run `screening calibrate` again"
        raise NotCalibratedError(message)


def validate_arithmetic(path: ScoringPath, manifest: BundleManifest) -> None:
    """Make sure that this machine computes what was computed when calibrating, up to the tolerance of thresholds.

    Raises
    ------
    NotCalibratedError
        If it does not. Bundles from before there were reference posts get a warning of other versions instead.
    """
    here, then = find_versions(manifest.backend), manifest.versions
    changed = ", ".join(f"{name} {then[name]} (here {here.get(name)})" for name in then if here.get(name) != then[name])
    if not manifest.reference_logits:
        if changed:
            message = (
                "the bundle is calibrated with %s: scores may differ in their last digits; calibrate again to be sure"
            )
            logger.warning(message, changed)
        return
    logits = path.compute_logits(REFERENCE_POSTS).logits
    distance = measure_distance(logits, manifest.reference_logits, manifest.temperature, manifest.taxonomy)
    allowed = compute_score_tolerance(manifest.precision, manifest.temperature.temperature, manifest.quantisation)
    if not distance <= allowed:
        why = f"packages changed: {changed}" if changed else "the packages are the same, so it is this machine"
        message = (
            f"bundle {manifest.name!r}: made posts score up to {distance:.3g} (in log-odds) from what they scored when "
            f"its thresholds were chosen, {allowed:.3g} is allowed for; {why}. Calibrate the run again here, or score "
            "where it was calibrated"
        )
        raise NotCalibratedError(message)
