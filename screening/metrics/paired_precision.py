"""Precision of two screeners on the same posts: no exact interval exists, so posts are resampled together."""

import numpy as np
import numpy.typing as npt

from screening.metrics.validation import validate_binary
from screening.types import Estimate, Interval

N_REPEATS = 2_000


def compare_precision_paired(
    y_true: npt.ArrayLike,
    flags_a: npt.ArrayLike,
    flags_b: npt.ArrayLike,
    *,
    split: str,
    rng: np.random.Generator,
    n_repeats: int = N_REPEATS,
    confidence_level: float = 0.95,
) -> Estimate:
    """Estimate precision of a less precision of b (share of flagged posts that are positive, PPV).

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive.
    flags_a, flags_b : array-like of bool or 0/1, shape (n_posts,)
        Whether each screener flags it.
    split : str
        Where the posts come from; the difference holds at its prevalence.
    rng : numpy.random.Generator
        The same state gives the same interval.

    Returns
    -------
    Estimate
        In [-1, 1]; above 0, flags of a are right more often. ``n_samples`` counts posts. Value and interval are
        ``None`` where a screener flags nothing.

    Notes
    -----
    Percentile bootstrap. Resampling posts with replacement is drawing the eight counts of (positive, flagged by a,
    flagged by b) from a multinomial distribution: the same distribution, thousands of repeats at once. Repeats in which
    a screener flags nothing are left out. Assumes independent posts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> compare_precision_paired([1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], split="test", rng=rng).value
    0.5
    """
    true = validate_binary(y_true)
    first, second = (validate_binary(flags, true.size) for flags in (flags_a, flags_b))
    counts = np.bincount(4 * true + 2 * first + second, minlength=8).astype(np.float64)
    value = float(_compute_difference(counts))
    if np.isnan(value):
        return Estimate(value=None, interval=None, n_samples=true.size, split=split)
    draws = rng.multinomial(true.size, counts / true.size, size=n_repeats).astype(np.float64)
    differences = _compute_difference(draws)
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(differences[~np.isnan(differences)], (tail, 1 - tail))
    interval = Interval(low=float(low), high=float(high), confidence_level=confidence_level)
    return Estimate(value=value, interval=interval, n_samples=true.size, split=split)


def _compute_difference(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Precision of a less precision of b from counts of shape (..., 8); NaN where one flags nothing."""
    cells = counts.reshape(*counts.shape[:-1], 2, 2, 2)  # (..., positive, flagged by a, flagged by b)
    by_a, by_b = cells[..., :, 1, :].sum(axis=-1), cells[..., :, :, 1].sum(axis=-1)  # (..., positive)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: documented
        difference: npt.NDArray[np.float64] = by_a[..., 1] / by_a.sum(axis=-1) - by_b[..., 1] / by_b.sum(axis=-1)
    return difference
