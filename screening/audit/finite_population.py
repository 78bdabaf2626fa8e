"""Exact bounds on how many positives a finite population holds, from a random sample without replacement.

Notes
-----
A sample of ``n`` posts of a population of ``N`` with ``M`` positives holds ``X ~ Hypergeometric(N, M, n)`` of them.
With ``x`` found, the upper bound is the largest ``M`` with ``P(X <= x) > 1 - confidence_level``, the lower bound the
smallest with ``P(X >= x) > 1 - confidence_level``: each covers with at least ``confidence_level`` for every ``M``
(inverted one-sided tests; discreteness only makes them cover more). Nothing is assumed but that the sample is random.

References
----------
Buonaccorsi (1987), A note on confidence intervals for proportions in finite populations, The American Statistician.
"""

from functools import lru_cache

import numpy as np
from scipy.stats import hypergeom


def compute_lower_tail(n_population: int, n_positive: int, n_sampled: int, n_found: int) -> float:
    """Compute P(X <= n_found) for a sample without replacement; 0 where there are more positives than posts."""
    if n_positive > n_population:
        return 0.0
    return float(hypergeom.cdf(n_found, n_population, n_positive, n_sampled))


@lru_cache(maxsize=100_000)  # a simulation asks for the same few samples over and over
def compute_upper_total(n_population: int, n_sampled: int, n_found: int, confidence_level: float) -> int:
    """Compute the exact one-sided upper bound on the positives of a population.

    Parameters
    ----------
    n_population, n_sampled, n_found : int
        ``0 <= n_found <= n_sampled <= n_population``: posts, posts read, positives among those.
    confidence_level : float
        In (0, 1), one-sided.

    Returns
    -------
    int
        In ``[n_found, n_population]``; ``n_found`` if every post was read, ``n_population`` if none was.

    Raises
    ------
    ValueError
        If the counts or the confidence are out of range.

    Examples
    --------
    >>> compute_upper_total(10_000, 3_000, 0, 0.95)
    8
    """
    _validate_sample(n_population, n_sampled, n_found, confidence_level)
    low, high = n_found, n_population - (n_sampled - n_found)
    while low < high:  # the tail falls as positives rise: find the largest count it does not rule out
        middle = (low + high + 1) // 2
        if compute_lower_tail(n_population, middle, n_sampled, n_found) > 1 - confidence_level:
            low = middle
        else:
            high = middle - 1
    return low


def compute_lower_total(n_population: int, n_sampled: int, n_found: int, confidence_level: float) -> int:
    """Compute the exact one-sided lower bound; positives and other posts change places, see the upper bound.

    Examples
    --------
    >>> compute_lower_total(100, 100, 7, 0.95), compute_lower_total(100, 10, 10, 0.95)
    (7, 76)
    """
    return n_population - compute_upper_total(n_population, n_sampled, n_sampled - n_found, confidence_level)


def _validate_sample(n_population: int, n_sampled: int, n_found: int, confidence_level: float) -> None:
    counts = np.array([0, n_found, n_sampled, n_population])
    if (np.diff(counts) < 0).any() or not 0 < confidence_level < 1:
        message = (
            "expected 0 <= n_found <= n_sampled <= n_population and confidence_level in (0, 1), found "
            f"{n_found}, {n_sampled}, {n_population} and {confidence_level}"
        )
        raise ValueError(message)
