"""How much more common something is in one group of posts than in another, and a correction for asking many times."""

import math

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import ndtri
from scipy.stats import fisher_exact

from screening.metrics.intervals import estimate_proportion
from screening.types import Estimate, Interval, Record


class ComparedShares(Record):
    """Shares of two groups of posts, with their difference.

    Attributes
    ----------
    first, second : Estimate
        In [0, 1], with exact intervals.
    difference : Estimate
        ``first - second``, in [-1, 1], with Newcombe's interval; ``n_samples`` counts the posts of both groups.
    ratio : float or None
        ``first / second``; ``None`` where ``second`` is 0 or a group is empty.
    p_value : float
        Fisher's exact test, two-sided; 1 if a group is empty.
    """

    first: Estimate
    second: Estimate
    difference: Estimate
    ratio: float | None = Field(ge=0)
    p_value: float = Field(ge=0, le=1)


def compare_shares(
    first: tuple[int, int], second: tuple[int, int], *, split: str, confidence_level: float = 0.95
) -> ComparedShares:
    """Compare the shares of two groups.

    Parameters
    ----------
    first, second : tuple of (n_success, n)
        Posts something holds for, and posts of the group.

    Returns
    -------
    ComparedShares

    Raises
    ------
    ValueError
        If counts are negative or ``n_success > n``.

    Notes
    -----
    Interval of the difference: Newcombe's hybrid of two Wilson intervals (his method 10), approximate, for independent
    posts and independent groups. Fisher's test adds up all tables with the same margins that are no more likely than
    the one found.

    References
    ----------
    Newcombe (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.

    Examples
    --------
    >>> found = compare_shares((8, 10), (2, 10), split="test")
    >>> round(found.difference.value, 2), found.ratio, round(found.p_value, 4)
    (0.6, 4.0, 0.023)
    """
    shares = [estimate_proportion(s, n, split=split, confidence_level=confidence_level) for s, n in (first, second)]
    n_samples = first[1] + second[1]
    (a, b) = (share.value for share in shares)
    if a is None or b is None:
        nothing = Estimate(value=None, interval=None, n_samples=n_samples, split=split)
        return ComparedShares(first=shares[0], second=shares[1], difference=nothing, ratio=None, p_value=1.0)
    (low_a, high_a), (low_b, high_b) = (_compute_wilson_bounds(s, n, confidence_level) for s, n in (first, second))
    interval = Interval(
        low=a - b - math.hypot(a - low_a, high_b - b),
        high=a - b + math.hypot(high_a - a, b - low_b),
        confidence_level=confidence_level,
    )
    return ComparedShares(
        first=shares[0],
        second=shares[1],
        difference=Estimate(value=a - b, interval=interval, n_samples=n_samples, split=split),
        ratio=a / b if b else None,
        p_value=_compute_fisher(first, second),
    )


def correct_for_many(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Correct p-values for the number of questions asked (Holm's step-down method).

    Parameters
    ----------
    p_values : array-like of float, shape (n_questions,)
        In [0, 1].

    Returns
    -------
    ndarray, shape (n_questions,)
        In [0, 1]. Calling those at or below 0.05 real is wrong anywhere in at most 5 % of families of questions.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> correct_for_many([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    weights = np.arange(values.size, 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * weights), 1.0)
    return corrected


def _compute_wilson_bounds(n_success: int, n: int, confidence_level: float) -> tuple[float, float]:
    z = float(ndtri((1 + confidence_level) / 2))
    share = n_success / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    spread = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(middle - spread, 0.0), min(middle + spread, 1.0)


def _compute_fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    table = [[n_success, n - n_success] for n_success, n in (first, second)]
    return float(fisher_exact(table).pvalue)
