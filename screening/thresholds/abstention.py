"""A second, upper threshold that few other posts reach: between the two the screener abstains and a person decides.

Notes
-----
The false-alarm promise is the recall promise with everything mirrored: negate the scores, call negatives positives, and
"recall" becomes the share of negatives below the upper threshold. So it is exact for any distribution, and ties make
it safer only.
"""

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat, model_validator
from scipy.special import betaincinv

from screening.exceptions import RecallNotReachableError
from screening.metrics.validation import FloatArray, validate_binary, validate_scores
from screening.thresholds.operating_point import OperatingPoint, share_confidence
from screening.thresholds.recall_control import (
    compute_allowed_misses,
    compute_confidence,
    compute_required_positives,
)
from screening.thresholds.scope import PromiseScope
from screening.thresholds.score_tolerance import raise_threshold
from screening.types import Record


class UpperThreshold(Record):
    """The lowest threshold that negatives reach with at most a promised rate.

    ``n_allowed_alarms`` negatives of ``n_negative`` may lie at or above ``threshold``.
    """

    threshold: FiniteFloat
    n_negative: int = Field(ge=1)
    n_allowed_alarms: int = Field(ge=0)
    false_alarm_upper_bound: float = Field(ge=0, le=1)
    confidence_achieved: float = Field(ge=0, le=1)


class AbstentionBand(Record):
    """The scores of one risk target between its recall-promised threshold and a false-alarm-promised one.

    Attributes
    ----------
    low, high : float
        No flag below ``low``; the screener abstains from ``low`` up to but not including ``high``; flagged from
        ``high`` on. Equal where the recall threshold keeps the false-alarm promise by itself: nothing in between.
    max_false_alarm_rate : float
        Over repeated draws of calibration posts, a negative reaches ``high`` more often than this in at most a fraction
        ``1 - confidence_level`` of the draws (all ``n_promises`` targets together).
    joint_confidence_level : float
        Confidence that the recall promises and the false-alarm promises hold at once.
    """

    name: str
    low: FiniteFloat
    high: FiniteFloat
    max_false_alarm_rate: float = Field(gt=0, lt=1)
    confidence_level: float = Field(gt=0, lt=1)
    joint_confidence_level: float = Field(ge=0, lt=1)
    n_promises: int = Field(1, ge=1)
    n_negative: int = Field(ge=1)
    n_allowed_alarms: int = Field(ge=0)
    false_alarm_upper_bound: float = Field(ge=0, le=1)
    confidence_achieved: float = Field(ge=0, le=1)
    unit: Literal["post", "author"] = "post"

    @model_validator(mode="after")
    def _validate_order(self) -> Self:
        if self.low > self.high:
            message = f"expected low <= high, found {self.low} and {self.high}"
            raise ValueError(message)
        return self

    def assign(self, y_score: FloatArray) -> npt.NDArray[np.str_]:
        """Assign each score ``no_flag``, ``abstain`` or ``flag``, shape (n_posts,)."""
        scores = validate_scores(y_score)
        reaches_low = scores >= np.asarray(self.low, dtype=scores.dtype)
        reaches_high = scores >= np.asarray(self.high, dtype=scores.dtype)
        return np.where(reaches_high, "flag", np.where(reaches_low, "abstain", "no_flag"))


def select_upper_threshold(
    negatives: FloatArray, *, max_false_alarm_rate: float, confidence_level: float
) -> UpperThreshold | None:
    """Select the lowest threshold that keeps the false-alarm promise, from the scores of the negatives.

    Parameters
    ----------
    negatives : ndarray of float32 or float64, shape (n_negative,)
        Finite scores, one per independent draw.
    max_false_alarm_rate, confidence_level : float
        Both in (0, 1).

    Returns
    -------
    UpperThreshold or None
        ``None`` if there are too few negatives even for the highest score.

    Notes
    -----
    With ``k`` allowed alarms, the threshold is the next single-precision number above the ``(k + 1)``-th largest score:
    in either precision, at most ``k`` of these negatives reach it.

    Examples
    --------
    >>> found = select_upper_threshold(np.arange(100) / 100, max_false_alarm_rate=0.05, confidence_level=0.95)
    >>> found.n_allowed_alarms, round(found.threshold, 4)
    (1, 0.98)
    """
    n, target = int(negatives.size), 1 - max_false_alarm_rate
    rank = compute_allowed_misses(n, target_recall=target, confidence_level=confidence_level)
    if rank is None:
        return None
    highest_passed = float(np.partition(negatives, n - 1 - rank)[n - 1 - rank])
    return UpperThreshold(
        threshold=float(np.nextafter(np.float32(highest_passed), np.float32(np.inf))),
        n_negative=n,
        n_allowed_alarms=rank,
        false_alarm_upper_bound=min(compute_rate_bound(n, rank, confidence_level), max_false_alarm_rate),
        confidence_achieved=compute_confidence(n, rank, target),
    )


def compute_rate_bound(n: int, n_found: int, confidence_level: float) -> float:
    """Compute Clopper-Pearson's exact one-sided upper bound on a rate; 1 if nothing was counted.

    Examples
    --------
    >>> round(compute_rate_bound(59, 0, 0.95), 4), compute_rate_bound(0, 0, 0.95)
    (0.0495, 1.0)
    """
    if n_found >= n:
        return 1.0
    return float(betaincinv(n_found + 1, n - n_found, confidence_level))


def fit_abstention_band(
    point: OperatingPoint,
    y_score: FloatArray,
    y_true: npt.ArrayLike,
    *,
    max_false_alarm_rate: float,
    n_promises: int = 1,
    scope: PromiseScope | None = None,
    score_tolerance: float = 0.0,
) -> AbstentionBand:
    """Fit the upper threshold beside an operating point, on the same calibration posts and at the same confidence.

    Parameters
    ----------
    point : OperatingPoint
    y_score, y_true, scope, score_tolerance
        As the operating point was fitted with; the upper threshold is raised by the tolerance.
    n_promises : int
        False-alarm promises that share the confidence, this one included.

    Raises
    ------
    RecallNotReachableError
        If there are too few negatives; the message says how many are needed.
    """
    scores = validate_scores(y_score)
    covered = scope or PromiseScope()
    negatives = scores[covered.draw(~validate_binary(y_true, scores.size))]
    confidence = share_confidence(point.confidence_level, n_promises)
    found = select_upper_threshold(negatives, max_false_alarm_rate=max_false_alarm_rate, confidence_level=confidence)
    if found is None:
        needed = compute_required_positives(1 - max_false_alarm_rate, confidence)
        message = (
            f"risk target {point.name!r}: a false-alarm rate of {max_false_alarm_rate} at confidence "
            f"{point.confidence_level} needs at least {needed} other calibration posts, found {negatives.size}; label "
            "more, or choose a higher abstention_false_alarm_rate yourself"
        )
        raise RecallNotReachableError(message)
    return AbstentionBand(
        name=point.name,
        low=point.threshold,
        high=max(raise_threshold(found.threshold, score_tolerance), point.threshold),
        max_false_alarm_rate=max_false_alarm_rate,
        confidence_level=point.confidence_level,
        joint_confidence_level=max(0.0, 1 - 2 * (1 - point.confidence_level)),
        n_promises=n_promises,
        unit=covered.unit,
        **found.model_dump(exclude={"threshold"}),
    )
