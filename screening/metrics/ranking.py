"""How well a score ranks positives above the rest: counts at every threshold, and average precision."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from screening.metrics.bootstrap import compute_resampled_interval
from screening.metrics.validation import FloatArray, validate_binary, validate_scores
from screening.types import Estimate


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


def estimate_average_precision(
    y_true: npt.ArrayLike,
    y_score: FloatArray,
    *,
    split: str,
    rng: np.random.Generator,
    n_repeats: int = 500,
    confidence_level: float = 0.95,
) -> Estimate:
    """Estimate average precision with a bootstrap interval; ``n_samples`` counts posts, ``None`` without positives."""
    scores = validate_scores(y_score)
    positives = validate_binary(y_true, scores.size)
    if not positives.any():
        return Estimate(value=None, interval=None, n_samples=scores.size, split=split)
    interval = compute_resampled_interval(
        compute_average_precision, positives, scores, rng=rng, n_repeats=n_repeats, confidence_level=confidence_level
    )
    value = compute_average_precision(positives, scores)
    return Estimate(value=value, interval=interval, n_samples=scores.size, split=split)
