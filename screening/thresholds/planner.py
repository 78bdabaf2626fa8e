"""How many calibration positives to label: what a promise allows, and what it costs in recall and alerts.

Notes
-----
With ``n`` positives and rank ``k``, the true recall at the threshold is Beta(n - k, k + 1) distributed over draws of
calibration posts (continuous scores; ties raise it). More positives bring it closer to the target from above: the same
promise, fewer alerts.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import bdtrc, betaincinv

from screening.metrics.validation import FloatArray, validate_binary, validate_scores
from screening.thresholds.recall_control import (
    compute_allowed_misses,
    compute_confidence,
    compute_required_positives,
)

PER_POSTS = 1_000
_ALLOWED_MISSES = (0, 1, 2, 3, 5, 8, 13, 21, 34, 89, 233)


def plan_positives(
    target_recall: float, confidence_level: float, n_positives: Sequence[int] | None = None
) -> pd.DataFrame:
    """Work out what a promise allows for several numbers of calibration positives.

    Parameters
    ----------
    target_recall, confidence_level : float
        Both in (0, 1).
    n_positives : sequence of int, optional
        By default the fewest that allow 0, 1, 2, 3, 5, 8, … misses: numbers between cost more and allow no more.

    Returns
    -------
    pandas.DataFrame
        One row per number that carries the promise: ``n_positive``, ``n_allowed_misses``, ``confidence_achieved``,
        ``expected_recall`` (mean of the true recall at the threshold), ``recall_low`` and ``recall_high`` (where the
        true recall falls in 90 % of calibrations; the promise is about the lower part).

    Raises
    ------
    ValueError
        If target or confidence lies outside (0, 1).

    Examples
    --------
    >>> plan_positives(0.95, 0.95).head(2)[["n_positive", "n_allowed_misses"]].values.tolist()
    [[59, 0], [93, 1]]
    """
    fewest = compute_required_positives(target_recall, confidence_level)
    numbers = n_positives
    if numbers is None:
        numbers = [_find_fewest(fewest, misses, target_recall, confidence_level) for misses in _ALLOWED_MISSES]
    rows = []
    for n in numbers:
        rank = compute_allowed_misses(n, target_recall=target_recall, confidence_level=confidence_level)
        if rank is None:
            continue
        rows.append(
            {
                "n_positive": n,
                "n_allowed_misses": rank,
                "confidence_achieved": compute_confidence(n, rank, target_recall),
                "expected_recall": compute_expected_recall(n, rank),
                "recall_low": float(betaincinv(n - rank, rank + 1, 0.05)),
                "recall_high": float(betaincinv(n - rank, rank + 1, 0.95)),
            }
        )
    columns = ["n_positive", "n_allowed_misses", "confidence_achieved", "expected_recall", "recall_low", "recall_high"]
    return pd.DataFrame(rows, columns=columns)


def compute_expected_recall(n_positive: int, n_allowed_misses: int) -> float:
    """Compute the mean of Beta(n - k, k + 1), the true recall at the threshold over draws of calibration posts.

    Examples
    --------
    >>> round(compute_expected_recall(59, 0), 4)
    0.9833
    """
    return (n_positive - n_allowed_misses) / (n_positive + 1)


def estimate_alerts(
    y_score: FloatArray,
    y_true: npt.ArrayLike,
    *,
    n_positive: int,
    n_allowed_misses: int,
    prevalence: float,
) -> float:
    """Estimate alerts per 1,000 posts if a calibration had this many positives, from scores that are there already.

    Parameters
    ----------
    y_score : ndarray of float, shape (n_posts,)
        Scores of labelled posts that did not train the model.
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive.
    n_positive, n_allowed_misses : int
        A row of :func:`plan_positives`.
    prevalence : float
        Share of positives in deployment, in (0, 1).

    Returns
    -------
    float
        In [0, 1000]; NaN without positives or negatives. A plan, not a promise.

    Notes
    -----
    The mean over calibrations drawn from the positives at hand, with replacement. The threshold is their ``k + 1``-th
    smallest score; it is at most the ``j``-th smallest of the ``m`` at hand with probability
    ``P(Binomial(n_positive, j / m) > k)``. That weighs each score exactly, without simulation.
    """
    scores = validate_scores(y_score)
    positive = validate_binary(y_true, scores.size)
    found, others = np.sort(scores[positive]), np.sort(scores[~positive])
    if not found.size or not others.size:
        return float("nan")
    at_most = bdtrc(float(n_allowed_misses), n_positive, np.arange(found.size + 1) / found.size)
    weights = np.diff(at_most)  # (n found,): P(threshold is the j-th smallest)
    recall = 1 - np.searchsorted(found, found, side="left") / found.size
    false_alarm_rate = 1 - np.searchsorted(others, found, side="left") / others.size
    return float(PER_POSTS * (weights * (prevalence * recall + (1 - prevalence) * false_alarm_rate)).sum())


def _find_fewest(start: int, n_misses: int, target_recall: float, confidence_level: float) -> int:
    """Find the fewest positives that allow so many misses: confidence rises with the number of positives."""
    low, high = start - 1, max(start, n_misses + 1)
    while compute_confidence(high, n_misses, target_recall) < confidence_level:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if compute_confidence(middle, n_misses, target_recall) >= confidence_level:
            high = middle
        else:
            low = middle
    return high
