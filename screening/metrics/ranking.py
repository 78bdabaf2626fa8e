"""How well a score ranks positives above the rest: counts at every threshold, areas under its curves."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtri
from scipy.stats import rankdata

from screening.metrics.intervals import compute_proportion_bounds
from screening.metrics.validation import FloatArray, validate_binary, validate_scores
from screening.types import Estimate, Interval


class ThresholdCounts(NamedTuple):
    """Posts at or above each distinct score, highest threshold first; arrays of the same length."""

    threshold: FloatArray
    n_flagged: npt.NDArray[np.int64]
    n_true_positive: npt.NDArray[np.int64]


def count_at_thresholds(y_true: npt.ArrayLike, y_score: FloatArray) -> ThresholdCounts:
    """Count flagged posts and flagged positives at every distinct score, with ``score >= threshold`` flagged.

    Examples
    --------
    >>> counts = count_at_thresholds([1, 0, 1], np.array([0.9, 0.5, 0.5]))
    >>> counts.n_flagged.tolist(), counts.n_true_positive.tolist()
    ([1, 3], [1, 2])
    """
    scores = validate_scores(y_score)
    positives = validate_binary(y_true, scores.size)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_tie = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True][: ranked.size])
    hits = np.cumsum(positives[order], dtype=np.int64)
    return ThresholdCounts(ranked[last_of_tie], last_of_tie + 1, hits[last_of_tie])


def compute_average_precision(y_true: npt.ArrayLike, y_score: FloatArray) -> float:
    """Compute average precision (area under the precision-recall steps).

    Returns
    -------
    float
        In [0, 1], higher is better; a score without information gives about the share of positives. NaN without
        positives.

    Notes
    -----
    ``sum over thresholds of (recall_i - recall_(i-1)) * precision_i``, tied posts together. It depends on prevalence:
    values of two splits compare only if their shares of positives do.
    """
    _, n_flagged, n_true_positive = count_at_thresholds(y_true, y_score)
    if n_true_positive.size == 0 or n_true_positive[-1] == 0:
        return float("nan")
    steps = np.diff(n_true_positive, prepend=0) / n_true_positive[-1]
    return float((steps * n_true_positive / n_flagged).sum())


def estimate_roc_area(
    y_true: npt.ArrayLike, y_score: FloatArray, *, split: str, confidence_level: float = 0.95
) -> Estimate:
    """Estimate the area under the ROC curve: how often a positive scores above another post, ties counting half.

    Returns
    -------
    Estimate
        In [0, 1], higher is better, 0.5 without information; ``n_samples`` counts posts; ``None`` if positives or
        other posts are missing.

    Notes
    -----
    DeLong's variance on the log-odds scale, for independent posts. At an area of 0 or 1 that variance is 0; there the
    bound is Clopper and Pearson's for as many disjoint pairs as can be made, all of them in (or against) order. Between
    them it is 0 only if all scores are equal; these, and a single positive or a single other post, leave the area
    unknown: the interval is [0, 1].

    References
    ----------
    DeLong, DeLong, Clarke-Pearson (1988), doi:10.2307/2531595; Sun, Xu (2014), doi:10.1109/LSP.2014.2337313.

    Examples
    --------
    >>> estimate_roc_area([1, 1, 0, 0], np.array([0.9, 0.4, 0.4, 0.1]), split="test").value
    0.875
    """
    scores = validate_scores(y_score)
    positives = validate_binary(y_true, scores.size)
    n_positive, n_negative = int(positives.sum()), int((~positives).sum())
    if not n_positive or not n_negative:
        return Estimate(value=None, interval=None, n_samples=scores.size, split=split)
    ranks = rankdata(scores)
    # Per positive: share of other posts below it; per other post: share of positives above it.
    below = (ranks[positives] - rankdata(scores[positives])) / n_negative
    above = 1 - (ranks[~positives] - rankdata(scores[~positives])) / n_positive
    area = float(below.mean())
    variance = sum(float(part.var(ddof=1)) / part.size for part in (below, above) if part.size > 1)
    low, high = _bound_area(area, variance, min(n_positive, n_negative), confidence_level)
    interval = Interval(low=low, high=high, confidence_level=confidence_level)
    return Estimate(value=area, interval=interval, n_samples=scores.size, split=split)


def _bound_area(area: float, variance: float, n_pairs: int, confidence_level: float) -> tuple[float, float]:
    if area in (0, 1):
        low, high = compute_proportion_bounds(n_pairs if area else 0, n_pairs, confidence_level)
        return float(low), float(high)
    if n_pairs == 1 or variance == 0:  # one post, or scores all equal, say nothing about the spread
        return 0.0, 1.0
    reach = float(ndtri((1 + confidence_level) / 2)) * np.sqrt(variance) / (area * (1 - area))
    low, high = expit(logit(area) + np.array([-reach, reach]))
    return float(low), float(high)
