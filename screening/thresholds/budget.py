"""Recall and an alert budget together: whether the recall-promised threshold leaves no more than people can read.

Notes
-----
At prevalence ``p``, alerts per 1,000 posts are at most ``1000 (p + (1 - p) f)`` with ``f`` the false-alarm rate, since
recall is at most 1. So a budget is a bound on ``f``, and the negatives alone decide the lowest threshold that keeps it
(:func:`~screening.thresholds.abstention.select_upper_threshold`). The budget *fits* if the recall threshold is not
below that one. That says too much with probability at most ``1 - confidence_level``, whatever joins positives and
negatives (one author may have both), and however many recalls are compared: the budget's threshold is the same for all.
With the recall promise the two hold at once with at least ``1 - 2 (1 - confidence_level)`` (union bound).

The *bound on alerts* at the recall threshold is Clopper-Pearson's for the negatives at or above it. It is exact given
the threshold if positives and negatives are independent of each other, as independent posts are.
"""

from typing import Literal, Self

import numpy.typing as npt
from pydantic import Field, model_validator

from screening.metrics.validation import BoolArray, FloatArray, validate_binary, validate_scores
from screening.thresholds.abstention import compute_rate_bound, select_upper_threshold
from screening.thresholds.operating_point import OperatingPoint, share_confidence
from screening.thresholds.recall_control import compute_recall_bound
from screening.thresholds.scope import PromiseScope
from screening.thresholds.score_tolerance import raise_threshold
from screening.types import Record

PER_POSTS = 1_000


class BudgetAssessment(Record):
    """Whether one operating point stays within an alert budget, and by how much it does not.

    The budget is one target's: alerts of several targets add up where they flag different posts. By author, alerts are
    those per 1,000 authors of whom one random post is read, so that busy authors' posts may bring more.

    Attributes
    ----------
    name, target_recall
        The operating point's.
    max_alerts_per_1000, prevalence : float
        The budget, and the share of the target's posts among 1,000 it is meant for.
    alerts_upper_bound : float
        Upper bound on alerts per 1,000 at that prevalence.
    confidence_level : float
        Of the statement about alerts; ``n_promises`` targets share it.
    joint_confidence_level : float
        Confidence that the target's recall promises and its statement about alerts hold at once; those of all targets
        where they share the confidence (``n_promises`` above 1).
    fits : bool
        Whether ``alerts_upper_bound`` is within the budget.
    excess_per_1000 : float
        Alerts above the budget; 0 if it fits.
    recall_within_budget : float or None
        Lower bound on the recall of the lowest threshold that keeps the budget; ``None`` if no threshold keeps it.
        Choosing it as the new target after seeing it would spend the confidence again: offer it beforehand, or
        calibrate on new posts.
    n_negative, n_false_alarms : int
        Negatives among calibration posts (authors with one, if ``unit`` is ``author``), and those the point flags.
    """

    name: str
    target_recall: float = Field(gt=0, lt=1)
    max_alerts_per_1000: float = Field(gt=0, le=1000)
    prevalence: float = Field(gt=0, lt=1)
    alerts_upper_bound: float = Field(ge=0, le=1000)
    confidence_level: float = Field(gt=0, lt=1)
    joint_confidence_level: float = Field(ge=0, lt=1)
    n_promises: int = Field(1, ge=1)
    fits: bool
    excess_per_1000: float = Field(ge=0)
    recall_within_budget: float | None = Field(None, ge=0, le=1)
    n_negative: int = Field(ge=0)
    n_false_alarms: int = Field(ge=0)
    unit: Literal["post", "author"] = "post"

    @model_validator(mode="after")
    def _validate_excess(self) -> Self:
        if self.fits != (self.excess_per_1000 == 0):
            message = f"expected an excess exactly where the budget fails, found {self.excess_per_1000} and {self.fits}"
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        posts = "posts" if self.unit == "post" else "posts, one drawn of each author,"
        bound = (
            f"at most {self.alerts_upper_bound:.0f} alerts for this target alone per 1,000 {posts} at prevalence "
            f"{self.prevalence:.6g} with confidence {self.confidence_level:.6g}, budget {self.max_alerts_per_1000:.6g}"
        )
        if self.fits:
            return f"{self.name}: recall {self.target_recall:.6g} and the alert budget hold together ({bound})"
        within = "no threshold keeps the budget"
        if self.recall_within_budget is not None:
            within = f"the budget leaves a recall of {self.recall_within_budget:.3f}"
        return (
            f"{self.name}: recall {self.target_recall:.6g} is reached, the alert budget fails by "
            f"{self.excess_per_1000:.0f} ({bound}); {within}"
        )


def assess_budget(
    point: OperatingPoint,
    y_score: FloatArray,
    y_true: npt.ArrayLike,
    *,
    max_alerts_per_1000: float,
    prevalence: float,
    n_promises: int = 1,
    scope: PromiseScope | None = None,
    score_tolerance: float = 0.0,
) -> BudgetAssessment:
    """Assess whether an operating point stays within an alert budget; see the module's notes for what is exact.

    Parameters
    ----------
    point : OperatingPoint
    y_score, y_true, scope, score_tolerance
        As the operating point was fitted with.
    max_alerts_per_1000 : float
        In (0, 1000].
    prevalence : float
        In (0, 1).
    n_promises : int
        Statements about alerts that share the confidence, one per risk target.

    Raises
    ------
    ValueError
        If scores or labels have the wrong type, shape or values.
    """
    scores = validate_scores(y_score)
    positive = validate_binary(y_true, scores.size)
    covered = scope or PromiseScope()
    negatives = scores[covered.draw(~positive)]
    confidence = share_confidence(point.confidence_level, n_promises)
    n_alarms = int(point.flag(negatives).sum())
    rate = compute_rate_bound(int(negatives.size), n_alarms, confidence)
    alerts = PER_POSTS * (prevalence + (1 - prevalence) * rate)
    max_rate = (max_alerts_per_1000 / PER_POSTS - prevalence) / (1 - prevalence)
    lowest = _find_lowest_threshold(negatives, max_rate, confidence, score_tolerance)
    return BudgetAssessment(
        name=point.name,
        target_recall=point.target_recall,
        max_alerts_per_1000=max_alerts_per_1000,
        prevalence=prevalence,
        alerts_upper_bound=alerts,
        confidence_level=point.confidence_level,
        joint_confidence_level=max(0.0, 1 - 2 * (1 - point.confidence_level)),
        n_promises=n_promises,
        fits=alerts <= max_alerts_per_1000,
        excess_per_1000=max(0.0, alerts - max_alerts_per_1000),
        recall_within_budget=None if lowest is None else _bound_recall(scores, positive, covered, lowest, point),
        n_negative=int(negatives.size),
        n_false_alarms=n_alarms,
        unit=covered.unit,
    )


def _find_lowest_threshold(
    negatives: FloatArray, max_rate: float, confidence: float, score_tolerance: float
) -> float | None:
    """Find the lowest threshold that keeps a false-alarm rate, before it is lowered by the tolerance."""
    if max_rate <= 0:
        return None
    if max_rate >= 1:
        return float(negatives.min()) if negatives.size else None
    found = select_upper_threshold(negatives, max_false_alarm_rate=max_rate, confidence_level=confidence)
    return None if found is None else raise_threshold(found.threshold, score_tolerance)


def _bound_recall(
    scores: FloatArray, positive: BoolArray, scope: PromiseScope, threshold: float, point: OperatingPoint
) -> float:
    """Bound the recall of a threshold from below, in all posts and in every group."""
    parts = [positive, *(positive & members for _, _, members in scope.iterate_groups())]
    drawn = [scores[scope.draw(part)] for part in parts]
    return min(
        compute_recall_bound(values.size, int((values < threshold).sum()), point.confidence_each) for values in drawn
    )
