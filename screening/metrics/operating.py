"""What an operating point did on a split, and whether that contradicts its promise."""

from typing import Literal

import numpy.typing as npt
from pydantic import Field

from screening.metrics.intervals import estimate_proportion
from screening.metrics.validation import validate_binary
from screening.types import Estimate, Record

PromiseVerdict = Literal["confirmed", "consistent", "contradicted", "unknown"]


class OperatingResult(Record):
    """Counts and rates of flags against labels on one split.

    Attributes
    ----------
    n_true_positive, n_false_negative, n_false_positive, n_true_negative : int
        Posts by label and flag; false negatives are missed posts.
    recall, specificity : Estimate
        Shares of positives flagged and of other posts not flagged; they do not depend on prevalence.
    false_alarm_rate : Estimate
        1 - specificity.
    ppv, npv : Estimate
        Shares of flagged posts that are positive and of other posts that are not, **at this split's prevalence**.
    alert_rate : Estimate
        Share of posts flagged, at this split's prevalence.
    """

    split: str
    n_samples: int = Field(ge=0)
    n_positive: int = Field(ge=0)
    n_true_positive: int = Field(ge=0)
    n_false_negative: int = Field(ge=0)
    n_false_positive: int = Field(ge=0)
    n_true_negative: int = Field(ge=0)
    recall: Estimate
    specificity: Estimate
    false_alarm_rate: Estimate
    ppv: Estimate
    npv: Estimate
    alert_rate: Estimate


def compute_operating_result(
    y_true: npt.ArrayLike, flags: npt.ArrayLike, *, split: str, confidence_level: float = 0.95
) -> OperatingResult:
    """Count flags against labels, with exact intervals.

    Parameters
    ----------
    y_true, flags : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive, and whether it is flagged.

    Returns
    -------
    OperatingResult
        Rates without posts to count have value ``None``.

    Examples
    --------
    >>> result = compute_operating_result([1, 1, 0, 0], [1, 0, 0, 1], split="test")
    >>> result.recall.value, result.recall.n_samples, result.n_false_positive
    (0.5, 2, 1)
    """
    true = validate_binary(y_true)
    flagged = validate_binary(flags, true.size)
    hits, missed = int((true & flagged).sum()), int((true & ~flagged).sum())
    alarms, passed = int((~true & flagged).sum()), int((~true & ~flagged).sum())

    def estimate(n_success: int, n: int) -> Estimate:
        return estimate_proportion(n_success, n, split=split, confidence_level=confidence_level)

    return OperatingResult(
        split=split,
        n_samples=true.size,
        n_positive=hits + missed,
        n_true_positive=hits,
        n_false_negative=missed,
        n_false_positive=alarms,
        n_true_negative=passed,
        recall=estimate(hits, hits + missed),
        specificity=estimate(passed, passed + alarms),
        false_alarm_rate=estimate(alarms, passed + alarms),
        ppv=estimate(hits, hits + alarms),
        npv=estimate(passed, passed + missed),
        alert_rate=estimate(hits + alarms, true.size),
    )


def judge_promise(recall: Estimate, target_recall: float) -> PromiseVerdict:
    """Judge a recall promise by the interval of recall measured on other posts.

    Returns
    -------
    str
        ``contradicted`` if the whole interval lies below ``target_recall``; ``confirmed`` if the whole interval lies
        at or above it; ``consistent`` if it holds the target (too few posts to say more); ``unknown`` without
        positives.

    Notes
    -----
    A point estimate below target is no contradiction: a kept promise shows one often. A promise at 95 % confidence
    is contradicted by chance in some runs; a contradiction is a reason to look for posts that changed in kind.

    Examples
    --------
    >>> judge_promise(estimate_proportion(80, 100, split="test"), 0.95)
    'contradicted'
    """
    if recall.interval is None:
        return "unknown"
    if recall.interval.high < target_recall:
        return "contradicted"
    return "confirmed" if recall.interval.low >= target_recall else "consistent"
