"""Calibration slope and intercept: are probabilities too extreme, and are they too high or too low overall."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logit, ndtri

from screening.metrics.validation import BoolArray, validate_binary, validate_probabilities
from screening.types import Estimate, Interval, Record

SMALLEST_PROBABILITY = 1e-7
"""Probabilities are kept this far from 0 and 1, about the resolution of single precision."""
MAX_STEPS = 100
DONE = 1e-9
FloatArray = npt.NDArray[np.float64]


class CalibrationSlope(Record):
    """How log-odds of probabilities relate to what happened.

    Attributes
    ----------
    slope : Estimate
        1 is ideal; below 1 probabilities are too extreme (too near 0 and 1), above 1 too moderate.
    intercept : Estimate
        Calibration in the large, in log-odds: 0 is ideal; below 0 probabilities are too high overall, above 0 too low.

    Both are ``None`` where they do not exist: no posts, only one outcome, or (the slope) all probabilities equal or
    outcomes that the probabilities separate completely.
    """

    slope: Estimate
    intercept: Estimate


def compute_calibration_slope(
    y_true: npt.ArrayLike, y_prob: npt.ArrayLike, *, split: str, confidence_level: float = 0.95
) -> CalibrationSlope:
    """Estimate calibration slope and intercept of the probabilities of an event.

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether the event occurred.
    y_prob : array-like, shape (n_posts,)
        Its probability; values nearer to 0 or 1 than ``SMALLEST_PROBABILITY`` count as that far away.

    Returns
    -------
    CalibrationSlope

    Notes
    -----
    Logistic regression by maximum likelihood. Slope: ``b`` in ``logit P(y) = a + b logit(p)``. Intercept: ``a`` in
    ``logit P(y) = a + logit(p)``, the slope held at 1. Wald intervals: approximate, for independent posts.

    References
    ----------
    Van Calster et al. (2019), doi:10.1186/s12916-019-1466-7.

    Examples
    --------
    >>> found = compute_calibration_slope([1, 1, 1, 0] * 50, [0.5] * 200, split="test")
    >>> round(found.intercept.value, 4), found.slope.value is None  # log(3); equal probabilities have no slope
    (1.0986, True)
    """
    prob = validate_probabilities(y_prob)
    true = validate_binary(y_true, prob.size)
    log_odds = logit(prob.clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))
    z = float(ndtri((1 + confidence_level) / 2))

    def estimate(fitted: tuple[float, float] | None) -> Estimate:
        if fitted is None:
            return Estimate(value=None, interval=None, n_samples=prob.size, split=split)
        value, error = fitted
        interval = Interval(low=value - z * error, high=value + z * error, confidence_level=confidence_level)
        return Estimate(value=value, interval=interval, n_samples=prob.size, split=split)

    if not 0 < true.sum() < true.size:
        return CalibrationSlope(slope=estimate(None), intercept=estimate(None))
    return CalibrationSlope(slope=estimate(_fit_slope(log_odds, true)), intercept=estimate(_fit_shift(log_odds, true)))


def _fit_shift(log_odds: FloatArray, true: BoolArray) -> tuple[float, float]:
    """Solve for the shift of log-odds that makes the mean probability the observed share; with standard error."""

    def compute_excess(shift: float) -> float:
        return float(expit(log_odds + shift).mean() - true.mean())

    aim = float(logit(true.mean()))
    shift = float(brentq(compute_excess, aim - log_odds.max() - 1, aim - log_odds.min() + 1, xtol=1e-12))
    prob = expit(log_odds + shift)
    return shift, float(1 / np.sqrt((prob * (1 - prob)).sum()))


def _fit_slope(log_odds: FloatArray, true: BoolArray) -> tuple[float, float] | None:
    """Maximise the likelihood of intercept and slope by Newton's method, halving steps that lower it."""
    if np.ptp(log_odds) == 0 or _is_separated(log_odds, true):
        return None
    centre, scale = log_odds.mean(), log_odds.std()
    columns = np.column_stack((np.ones(true.size), (log_odds - centre) / scale))
    beta, reached = np.zeros(2), -np.inf
    step = np.array([logit(true.mean()), 0.0])
    for _ in range(MAX_STEPS):
        while (found := _compute_log_likelihood(columns @ (beta + step), true)) < reached and np.abs(step).max() > DONE:
            step = step / 2
        beta, reached = beta + step, found
        prob = expit(columns @ beta)
        information = columns.T @ (columns * (prob * (1 - prob))[:, None])
        step = np.linalg.solve(information, columns.T @ (true - prob))
        if np.abs(step).max() <= DONE:
            return float(beta[1] / scale), float(np.sqrt(np.linalg.inv(information)[1, 1]) / scale)
    return None


def _compute_log_likelihood(linear: FloatArray, true: BoolArray) -> float:
    return float(log_expit(np.where(true, linear, -linear)).sum())


def _is_separated(log_odds: FloatArray, true: BoolArray) -> bool:
    """Whether one cut puts all events on one side (touching counts): the likelihood then has no maximum."""
    events, others = log_odds[true], log_odds[~true]
    return bool(events.min() >= others.max() or others.min() >= events.max())
