"""The recall promise: the highest threshold whose true recall is below target with bounded probability.

Synonyms: Neyman-Pearson umbrella algorithm, order-statistic threshold, distribution-free tolerance limit.

Notes
-----
Sort the positives' scores ascending, ``s[0] <= ... <= s[n-1]``, and flag at ``score >= s[k]``: ``k`` is the number of
calibration positives allowed strictly below. With ``t*`` the highest threshold whose recall reaches ``target_recall``,
the promise breaks exactly when ``s[k] > t*``, that is when at most ``k`` positives lie at or below ``t*``.

*Continuous scores*: a positive lies at or below ``t*`` with probability ``1 - target_recall``, so the promise breaks
with probability ``P(Binomial(n, 1 - target_recall) <= k)``, whatever the distribution. We take the largest ``k`` that
keeps this at or below ``1 - confidence_level``.

*Ties*: recall falls in jumps, and a positive lies at or below ``t*`` with probability **at least**
``1 - target_recall`` (the whole tied group at ``t*`` counts). More positives at or below ``t*`` make "at most ``k``"
rarer: ties only make the promise safer. The comparison must be inclusive for this to hold.

References
----------
Tong, Feng, Li (2018), Neyman-Pearson classification algorithms and NP receiver operating characteristics,
doi:10.1126/sciadv.aao1659. Wilks (1941), Determination of sample sizes for setting tolerance limits.
"""

import math

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat
from scipy.special import bdtrc, betaincinv

from screening.exceptions import RecallNotReachableError
from screening.metrics.validation import FloatArray, validate_binary, validate_scores
from screening.types import Record


class ThresholdSelection(Record):
    """A threshold and the exact numbers of its promise; the fields mean what they mean in ``OperatingPoint``."""

    threshold: FiniteFloat
    n_samples: int = Field(ge=1)
    n_positive: int = Field(ge=1)
    n_allowed_misses: int = Field(ge=0)
    recall_lower_bound: float = Field(ge=0, le=1)
    confidence_achieved: float = Field(ge=0, le=1)


def compute_required_positives(target_recall: float, confidence_level: float) -> int:
    """Compute the fewest calibration positives that can carry a promise: the least n with target^n <= 1 - confidence.

    Parameters
    ----------
    target_recall, confidence_level : float
        Both in (0, 1).

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If either lies outside (0, 1).

    Examples
    --------
    >>> compute_required_positives(0.95, 0.95), compute_required_positives(0.99, 0.95)
    (59, 299)
    """
    _validate_promise(target_recall, confidence_level)
    n = max(1, math.floor(math.log1p(-confidence_level) / math.log(target_recall)) - 1)
    while compute_allowed_misses(n, target_recall=target_recall, confidence_level=confidence_level) is None:
        n += 1
    return n


def compute_allowed_misses(n_positive: int, *, target_recall: float, confidence_level: float) -> int | None:
    """Compute the largest rank ``k`` with P(Binomial(n_positive, 1 - target_recall) <= k) <= 1 - confidence_level.

    Returns
    -------
    int or None
        In ``[0, n_positive)``; ``None`` if even the lowest positive's score is too high a threshold.

    Examples
    --------
    >>> compute_allowed_misses(400, target_recall=0.95, confidence_level=0.95)
    12
    """
    _validate_promise(target_recall, confidence_level)
    low, high = -1, n_positive  # the sought k lies in [low, high): confidence falls as k rises
    while high - low > 1:
        middle = (low + high) // 2
        if compute_confidence(n_positive, middle, target_recall) >= confidence_level:
            low = middle
        else:
            high = middle
    return low if low >= 0 else None


def compute_confidence(n_positive: int, n_allowed_misses: int, target_recall: float) -> float:
    """Compute P(Binomial(n_positive, 1 - target_recall) > n_allowed_misses): how often the promise holds."""
    return float(bdtrc(float(n_allowed_misses), n_positive, 1 - target_recall))


def select_threshold(
    y_score: FloatArray, y_true: npt.ArrayLike, *, target_recall: float, confidence_level: float
) -> ThresholdSelection:
    """Select the highest threshold that keeps the promise: the (k+1)-th smallest score of the positives.

    Parameters
    ----------
    y_score : ndarray of float32 or float64, shape (n_posts,)
        Finite scores of calibration posts that neither trained nor selected the model.
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive.
    target_recall, confidence_level : float
        Both in (0, 1).

    Raises
    ------
    RecallNotReachableError
        If there are too few positives; the message says how many were found and how many are needed. The target is
        never lowered.
    ValueError
        If scores or labels have the wrong type, shape or values.

    Examples
    --------
    >>> y_score = np.arange(100) / 100
    >>> select_threshold(y_score, np.ones(100, dtype=bool), target_recall=0.95, confidence_level=0.95).threshold
    0.01
    """
    scores = validate_scores(y_score)
    positives = scores[validate_binary(y_true, scores.size)]
    found = select_order_statistic(
        positives, scores.size, target_recall=target_recall, confidence_level=confidence_level
    )
    if found is not None:
        return found
    needed = compute_required_positives(target_recall, confidence_level)
    message = (
        f"recall {target_recall} at confidence {confidence_level} needs at least {needed} positive calibration "
        f"posts, found {positives.size} among {scores.size}; label {needed - positives.size} more, or choose a lower "
        "target or confidence yourself"
    )
    raise RecallNotReachableError(message)


def select_order_statistic(
    positives: FloatArray, n_samples: int, *, target_recall: float, confidence_level: float
) -> ThresholdSelection | None:
    """Select the threshold from the scores of the positives, validated before; ``None`` if there are too few."""
    n_positive = int(positives.size)
    rank = compute_allowed_misses(n_positive, target_recall=target_recall, confidence_level=confidence_level)
    if rank is None:
        return None
    return ThresholdSelection(
        threshold=float(np.partition(positives, rank)[rank]),
        n_samples=n_samples,
        n_positive=n_positive,
        n_allowed_misses=rank,
        recall_lower_bound=max(compute_recall_bound(n_positive, rank, confidence_level), target_recall),
        confidence_achieved=compute_confidence(n_positive, rank, target_recall),
    )


def compute_recall_bound(n_positive: int, n_missed: int, confidence_level: float) -> float:
    """Compute Clopper-Pearson's exact one-sided lower bound on recall; 0 if every positive is missed.

    Examples
    --------
    >>> round(compute_recall_bound(59, 0, 0.95), 4), compute_recall_bound(59, 59, 0.95)
    (0.9505, 0.0)
    """
    if n_missed >= n_positive:
        return 0.0
    return float(betaincinv(n_positive - n_missed, n_missed + 1, 1 - confidence_level))


def _validate_promise(target_recall: float, confidence_level: float) -> None:
    if not (0 < target_recall < 1 and 0 < confidence_level < 1):
        message = (
            f"expected target_recall and confidence_level strictly between 0 and 1, found {target_recall} and "
            f"{confidence_level}; recall 1 cannot be promised from a sample"
        )
        raise ValueError(message)
