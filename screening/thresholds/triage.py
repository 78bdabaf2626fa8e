"""From scores and operating points to one triage level per post: the most urgent flag wins."""

from collections.abc import Mapping, Sequence

import numpy as np

from screening.exceptions import NotCalibratedError
from screening.metrics.validation import FloatArray
from screening.thresholds.operating_point import OperatingPoint
from screening.types import TRIAGE_LEVELS, Triage


def assign_triage(scores: Mapping[str, FloatArray], operating_points: Sequence[OperatingPoint]) -> list[Triage]:
    """Assign each post the most urgent level among the operating points that flag it, else ``no_flag``.

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (n_posts,)
        Scores per risk target name.
    operating_points : sequence of OperatingPoint
        One per target in ``scores``; their order does not matter.

    Returns
    -------
    list of str
        ``refer``, ``review`` or ``no_flag``, in the order of the posts; empty for no posts.

    Raises
    ------
    NotCalibratedError
        If targets and operating points do not match one to one: an uncalibrated target would silently never flag.
    ValueError
        If the targets' arrays differ in length, or hold anything but finite floats.
    """
    _validate_targets(scores, operating_points)
    n_by_target = {name: len(values) for name, values in scores.items()}
    n_posts = next(iter(n_by_target.values()))
    if set(n_by_target.values()) != {n_posts}:
        message = f"expected the same number of scores for every target, found {n_by_target}"
        raise ValueError(message)
    urgency = np.full(n_posts, TRIAGE_LEVELS.index("no_flag"))  # 0 is the most urgent
    for point in operating_points:
        flags = point.flag(scores[point.name])
        urgency[flags] = np.minimum(urgency[flags], TRIAGE_LEVELS.index(point.triage))
    return [TRIAGE_LEVELS[level] for level in urgency]


def _validate_targets(scores: Mapping[str, FloatArray], operating_points: Sequence[OperatingPoint]) -> None:
    names = [point.name for point in operating_points]
    if names and len(set(names)) == len(names) and set(names) == set(scores):
        return
    message = (
        f"expected exactly one operating point per scored target, found targets {sorted(scores)} and operating points "
        f"{sorted(names)}; run calibration for every target"
    )
    raise NotCalibratedError(message)
