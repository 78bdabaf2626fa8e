"""Decision curves: is flagging by score worth more than flagging every post, or none."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from screening.metrics.validation import FloatArray, validate_binary, validate_probabilities

QUANTITIES = ("net_benefit", "net_benefit_low", "net_benefit_high", "net_benefit_all", "net_benefit_none")


def compute_decision_curve(
    y_true: npt.ArrayLike, y_prob: FloatArray, thresholds: npt.ArrayLike, *, split: str, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Compute the net benefit of flagging by probability, of flagging every post, and of flagging none.

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive.
    y_prob : ndarray of float, shape (n_posts,)
        Calibrated probability that it is; posts with ``y_prob >= threshold`` are flagged.
    thresholds : array-like of float, shape (n_thresholds,)
        Threshold probabilities in [0, 1): the probability at which reading a post is just worth the time. ``t`` says
        that one positive found is worth ``(1 - t) / t`` posts read for nothing.

    Returns
    -------
    pandas.DataFrame
        One row per threshold, in the order given: ``threshold_probability``, ``net_benefit`` with
        ``net_benefit_low`` and ``net_benefit_high``, ``net_benefit_all``, ``net_benefit_none`` (always 0), ``n``
        (posts), ``split``. Higher is better; at most the share of positives. NaN for no posts.

    Raises
    ------
    ValueError
        If a threshold lies outside [0, 1), or scores are not probabilities.

    Notes
    -----
    ``net_benefit = TP / n - FP / n * t / (1 - t)``: positives found per post screened, less the false alarms at their
    price. It holds **at the share of positives among these posts** and assumes calibrated probabilities. Bounds:
    normal approximation to the mean of what each post brings (1, minus the price, or 0), for independent posts.

    References
    ----------
    Vickers, Elkin (2006), doi:10.1177/0272989X06295361.

    Examples
    --------
    >>> curve = compute_decision_curve([1, 1, 0, 0], np.array([0.9, 0.4, 0.6, 0.1]), [0.2, 0.5], split="test")
    >>> curve[["net_benefit", "net_benefit_all"]].round(4).values.tolist()
    [[0.4375, 0.375], [0.0, 0.0]]
    """
    prob = validate_probabilities(y_prob)
    true = validate_binary(y_true, prob.size)
    at = _validate_thresholds(thresholds)
    n_hits = _count_at_or_above(prob[true], at)
    n_alarms = _count_at_or_above(prob[~true], at)
    n, price = prob.size, at / (1 - at)
    if n == 0:
        frame = pd.DataFrame(dict.fromkeys(QUANTITIES, np.full(at.shape, np.nan)))
    else:
        value = (n_hits - n_alarms * price) / n
        variance = np.maximum((n_hits + n_alarms * price**2) / n - value**2, 0)
        reach = ndtri((1 + confidence_level) / 2) * np.sqrt(variance / n)
        everything = (true.sum() - (~true).sum() * price) / n
        columns = (value, value - reach, value + reach, everything, np.zeros(at.shape))
        frame = pd.DataFrame(dict(zip(QUANTITIES, columns, strict=True)))
    frame.insert(0, "threshold_probability", at)
    return frame.assign(n=n, split=split)


def _count_at_or_above(prob: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return prob.size - np.searchsorted(np.sort(prob), at, side="left").astype(np.int64)


def _validate_thresholds(thresholds: npt.ArrayLike) -> npt.NDArray[np.float64]:
    at = np.asarray(thresholds, dtype=np.float64)
    if at.ndim == 1 and ((at >= 0) & (at < 1)).all():
        return at
    message = f"expected threshold probabilities in [0, 1), shape (n_thresholds,), found shape {at.shape}: {at}"
    raise ValueError(message)
