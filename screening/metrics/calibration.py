"""Do probabilities mean what they say: Brier score, expected calibration error, reliability table."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from screening.metrics.intervals import compute_proportion_bounds, estimate_mean
from screening.metrics.validation import validate_binary, validate_classes, validate_probabilities
from screening.types import Estimate

N_BINS = 10
Probabilities = npt.NDArray[np.float64]


def compute_brier_score(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> float:
    """Compute the multi-class Brier score.

    Parameters
    ----------
    y_true : array-like of int, shape (n_posts,)
        Class indices.
    y_prob : array-like, shape (n_posts, n_classes)
        Rows sum to 1.

    Returns
    -------
    float
        In [0, 2], lower is better; ``1 - 1 / n_classes`` for uniform probabilities; NaN for no posts.

    Notes
    -----
    Mean over posts of ``sum_c (p_c - [c is true])^2``: a strictly proper score. For two classes it is twice
    :func:`compute_binary_brier_score`. Brier (1950).
    """
    errors = _square_errors(y_true, y_prob)
    return float(errors.mean()) if errors.size else float("nan")


def estimate_brier_score(y_true: npt.ArrayLike, y_prob: npt.ArrayLike, *, split: str) -> Estimate:
    """Estimate :func:`compute_brier_score`, or of an event :func:`compute_binary_brier_score`, with its interval.

    Parameters
    ----------
    y_true : array-like, shape (n_posts,)
        Class indices; of an event whether it occurred.
    y_prob : array-like, shape (n_posts, n_classes), of an event (n_posts,)
    split : str
        Where the posts come from.

    Returns
    -------
    Estimate
        With the interval of a mean over posts (:func:`~screening.metrics.intervals.estimate_mean`).

    Examples
    --------
    >>> found = estimate_brier_score([1, 0, 1, 0, 1, 1], [0.9, 0.2, 0.6, 0.1, 0.8, 0.3], split="test")
    >>> round(found.value, 3), found.n_samples
    (0.125, 6)
    """
    if np.ndim(y_prob) == 1:
        true, prob = _validate_event(y_true, y_prob)
        return estimate_mean((prob - true) ** 2, split=split)
    return estimate_mean(_square_errors(y_true, y_prob), split=split)


def compute_binary_brier_score(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> float:
    """Compute the mean squared difference between an event's probability and its occurrence.

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether the event occurred (label among a target's labels).
    y_prob : array-like, shape (n_posts,)
        Its probability.

    Returns
    -------
    float
        In [0, 1], lower is better; NaN for no posts.
    """
    true, prob = _validate_event(y_true, y_prob)
    return float(((prob - true) ** 2).mean()) if true.size else float("nan")


def compute_top_label(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Probabilities]:
    """Reduce classes to the event "the most probable class is right": hits and confidences, shape (n_posts,) each.

    Both go straight into :func:`compute_calibration_error` and :func:`compute_reliability_table`.
    """
    prob = _validate_matrix(y_prob)
    true = validate_classes(y_true, prob.shape[1], len(prob))
    return prob.argmax(axis=1) == true, prob.max(axis=1)


def compute_reliability_table(
    y_true: npt.ArrayLike, y_prob: npt.ArrayLike, *, split: str, n_bins: int = N_BINS, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Compare mean probability with observed share in bins of equal numbers of posts.

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether the event occurred.
    y_prob : array-like, shape (n_posts,)
        Its probability.
    n_bins : int
        At most this many; equal probabilities share a bin, so there may be fewer and they may differ in size.

    Returns
    -------
    pandas.DataFrame
        One row per bin, lowest probabilities first: ``bin``, ``mean_prob``, ``value`` (observed share, with exact
        bounds ``low`` and ``high``), ``n``, ``n_positive``, ``split``. No rows for no posts.
    """
    true, prob = _validate_event(y_true, y_prob)
    bins = _assign_bins(prob, n_bins)
    n = np.bincount(bins)
    n_positive = np.bincount(bins, weights=true).astype(np.int64)
    low, high = compute_proportion_bounds(n_positive, n, confidence_level)
    table = {"mean_prob": np.bincount(bins, weights=prob) / n, "value": n_positive / n, "low": low, "high": high}
    frame = pd.DataFrame({"bin": np.arange(n.size), **table, "n": n, "n_positive": n_positive})
    return frame.assign(split=split)


def compute_calibration_error(y_true: npt.ArrayLike, y_prob: npt.ArrayLike, *, n_bins: int = N_BINS) -> float:
    """Compute the expected calibration error over bins of equal numbers of posts.

    Returns
    -------
    float
        In [0, 1], lower is better; NaN for no posts.

    Notes
    -----
    ``sum_b n_b / n * |observed share - mean probability|``. Biased upwards: even a perfectly calibrated model scores
    above 0; compare with :func:`compute_chance_calibration_error`. Naeini et al. (2015), doi:10.1609/aaai.v29i1.9602.
    """
    true, prob = _validate_event(y_true, y_prob)
    if true.size == 0:
        return float("nan")
    return float(_sum_bin_gaps(prob - true, _assign_bins(prob, n_bins)) / true.size)


def compute_chance_calibration_error(
    y_prob: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    n_repeats: int = 1_000,
    confidence_level: float = 0.95,
) -> float:
    """Compute the calibration error a perfectly calibrated model stays below in ``confidence_level`` of samples.

    Labels are drawn from the probabilities themselves; an error above this value is evidence of miscalibration.
    NaN for no posts.
    """
    prob = validate_probabilities(y_prob)
    if prob.size == 0:
        return float("nan")
    bins = _assign_bins(prob, N_BINS)
    expected = np.bincount(bins, weights=prob)
    drawn = (np.bincount(bins[rng.random(prob.size) < prob], minlength=expected.size) for _ in range(n_repeats))
    errors = [np.abs(expected - n_events).sum() / prob.size for n_events in drawn]
    return float(np.quantile(errors, confidence_level))


def _sum_bin_gaps(gaps: Probabilities, bins: npt.NDArray[np.int64]) -> float:
    """Sum over bins of |sum of gaps|, which is n_b times |observed share - mean probability|."""
    return float(np.abs(np.bincount(bins, weights=gaps)).sum())


def _assign_bins(prob: Probabilities, n_bins: int) -> npt.NDArray[np.int64]:
    """Assign each post a bin, numbered from 0 without gaps; edges are probabilities that occur, ties stay together."""
    if n_bins < 1:
        message = f"expected at least one bin, found {n_bins}"
        raise ValueError(message)
    if prob.size == 0:
        return np.empty(0, dtype=np.int64)
    edges = np.quantile(prob, np.linspace(0, 1, n_bins + 1)[1:-1], method="inverted_cdf")
    bins = np.searchsorted(edges, prob)
    is_used = np.bincount(bins, minlength=n_bins) > 0
    numbers: npt.NDArray[np.int64] = np.cumsum(is_used) - 1
    return numbers[bins]


def _validate_event(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Probabilities]:
    prob = validate_probabilities(y_prob)
    if prob.ndim != 1:
        message = f"expected one probability per post, shape (n_posts,), found {prob.shape}; reduce classes first"
        raise ValueError(message)
    return validate_binary(y_true, prob.size), prob


def _square_errors(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> Probabilities:
    """Sum the squared errors of the classes of each post, shape (n_posts,)."""
    prob = _validate_matrix(y_prob)
    true = validate_classes(y_true, prob.shape[1], len(prob))
    errors: Probabilities = ((prob - np.eye(prob.shape[1])[true]) ** 2).sum(axis=1)
    return errors


def _validate_matrix(y_prob: npt.ArrayLike) -> Probabilities:
    prob = validate_probabilities(y_prob)
    if prob.ndim != 2:
        message = f"expected probabilities of shape (n_posts, n_classes), found {prob.shape}"
        raise ValueError(message)
    return prob
