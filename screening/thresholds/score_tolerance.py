"""Thresholds moved by how far the score of one and the same post may move between two calls.

A score moves with the batch it is computed in, because floating-point sums run in another order. The movement of a
logit is of the same size wherever it stands; the movement of a probability is not: it is ``p (1 - p)`` times that of
its log-odds. So the tolerance is in log-odds, and costs the same share of odds at a threshold of .01 as at .5.
"""

import math

import numpy as np
from scipy.special import expit, logit

ABOVE_ONE = float(np.nextafter(np.float32(1), np.float32(np.inf)))


def lower_threshold(threshold: float, tolerance_log_odds: float) -> float:
    """Lower a threshold so that a post at it is still flagged when its score moves by the tolerance.

    Parameters
    ----------
    threshold : float
        A probability, in [0, 1]; any finite score if the tolerance is 0.
    tolerance_log_odds : float
        How far the log-odds of a post's score may move, 0 or more.

    Returns
    -------
    float
        At most ``threshold``; ``threshold`` itself for a tolerance of 0, and 0 for 0.

    Raises
    ------
    ValueError
        If the tolerance is negative, or positive with a threshold outside [0, 1].

    Notes
    -----
    ``expit(logit(t) - tolerance)`` with ``t`` one single-precision step below the threshold: a score kept in single
    precision stands for an interval that wide, which near 1 is wider than any tolerance (and finite at 1).

    Examples
    --------
    >>> round(lower_threshold(0.01, 0.2), 5), lower_threshold(0.0, 0.2), lower_threshold(1.0, 0.2) < 1
    (0.0082, 0.0, True)
    """
    if tolerance_log_odds == 0:
        return threshold
    _validate_tolerance(threshold, tolerance_log_odds)
    below = float(np.nextafter(np.float32(threshold), np.float32(0)))
    return float(expit(logit(below) - tolerance_log_odds))


def raise_threshold(threshold: float, tolerance_log_odds: float) -> float:
    """Raise a threshold so that a post below it stays below when its score moves; see :func:`lower_threshold`.

    The single-precision step above 1, which no probability reaches, is kept: the upper threshold of posts that score 1.

    Examples
    --------
    >>> round(raise_threshold(0.01, 0.2), 5), raise_threshold(1.0, 0.2)
    (0.01219, 1.0)
    """
    if tolerance_log_odds == 0 or threshold == ABOVE_ONE:
        return threshold
    _validate_tolerance(threshold, tolerance_log_odds)
    above = float(np.nextafter(np.float32(threshold), np.float32(1)))
    return float(expit(logit(above) + tolerance_log_odds))


def _validate_tolerance(threshold: float, tolerance_log_odds: float) -> None:
    if not (0 < tolerance_log_odds < math.inf and 0 <= threshold <= 1):
        message = (
            "expected a finite tolerance of 0 or more in log-odds and a probability as threshold, found "
            f"{tolerance_log_odds} and {threshold}; scores that are no probabilities need a tolerance of 0"
        )
        raise ValueError(message)
