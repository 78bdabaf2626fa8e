"""Recall of two screeners on the same positives: what one finds and the other misses."""

import math

import numpy.typing as npt
from pydantic import Field
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import binomtest

from screening.metrics.validation import validate_binary
from screening.types import Estimate, Interval, Record


class PairedRecall(Record):
    """Positives by who flagged them, with the difference of the two recalls.

    Attributes
    ----------
    n_both, n_only_a, n_only_b, n_neither : int
        Positives flagged by both, by one, by none; together all positives.
    difference : Estimate
        Recall of a less recall of b, in [-1, 1]; above 0, a finds more. ``n_samples`` counts positives; value and
        interval are ``None`` without positives.
    p_value : float
        Two-sided exact McNemar test of "both find equally much"; 1 where no positive is flagged by one alone.
    """

    n_both: int = Field(ge=0)
    n_only_a: int = Field(ge=0)
    n_only_b: int = Field(ge=0)
    n_neither: int = Field(ge=0)
    difference: Estimate
    p_value: float = Field(ge=0, le=1)


def compare_recall_paired(
    y_true: npt.ArrayLike,
    flags_a: npt.ArrayLike,
    flags_b: npt.ArrayLike,
    *,
    split: str,
    confidence_level: float = 0.95,
) -> PairedRecall:
    """Compare the recall of two screeners on the same posts.

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive; other posts play no part.
    flags_a, flags_b : array-like of bool or 0/1, shape (n_posts,)
        Whether each screener flags it.
    split : str
        Where the posts come from.

    Returns
    -------
    PairedRecall

    Notes
    -----
    Interval: Tango's score interval for a difference of paired proportions; it is not exact, but its coverage stays
    near the level for few positives and for recalls near 1. With few positives flagged by one screener alone, the
    exact p-value is the more careful of the two: they may disagree. Assumes independent posts.

    References
    ----------
    Tango (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B.

    Examples
    --------
    >>> pair = compare_recall_paired([1, 1, 1, 1, 0], [1, 1, 1, 0, 1], [1, 0, 0, 0, 0], split="test")
    >>> pair.n_only_a, pair.n_only_b, pair.difference.value, pair.p_value
    (2, 0, 0.5, 0.5)
    """
    true = validate_binary(y_true)
    first, second = (validate_binary(flags, true.size)[true] for flags in (flags_a, flags_b))
    n_only_a, n_only_b = int((first & ~second).sum()), int((~first & second).sum())
    return PairedRecall(
        n_both=int((first & second).sum()),
        n_only_a=n_only_a,
        n_only_b=n_only_b,
        n_neither=int((~first & ~second).sum()),
        difference=_estimate_difference(n_only_a, n_only_b, first.size, split, confidence_level),
        p_value=_compute_mcnemar(n_only_a, n_only_b),
    )


def _compute_mcnemar(n_only_a: int, n_only_b: int) -> float:
    n = n_only_a + n_only_b
    return float(binomtest(n_only_a, n).pvalue) if n else 1.0


def _estimate_difference(n_only_a: int, n_only_b: int, n: int, split: str, confidence_level: float) -> Estimate:
    if n == 0:
        return Estimate(value=None, interval=None, n_samples=0, split=split)
    value = (n_only_a - n_only_b) / n
    z = float(ndtri((1 + confidence_level) / 2))
    counts = (n_only_a, n_only_b, n)
    low = -1.0 if value == -1 else brentq(lambda d: _score(d, counts) - z, -1 + 1e-12, value, xtol=1e-12)
    high = 1.0 if value == 1 else brentq(lambda d: _score(d, counts) + z, value, 1 - 1e-12, xtol=1e-12)
    interval = Interval(low=float(low), high=float(high), confidence_level=confidence_level)
    return Estimate(value=value, interval=interval, n_samples=n, split=split)


def _score(difference: float, counts: tuple[int, int, int]) -> float:
    """Tango's statistic for one supposed difference; falls as the difference grows, 0 at the value found."""
    n_only_a, n_only_b, n = counts
    # The likeliest share "only b" under the supposed difference is the larger root of a x^2 + b x + c.
    a, spread = 2 * n, difference * (1 - difference)
    b = (2 * n - n_only_a + n_only_b) * difference - n_only_a - n_only_b
    c = -n_only_b * spread
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    gap = n_only_a - n_only_b - n * difference
    variance = n * (2 * share + spread)
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)
