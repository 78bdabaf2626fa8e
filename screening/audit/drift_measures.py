"""How far one column of new posts lies from the same column of reference posts, and whether chance explains it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.stats import betabinom, fisher_exact, ks_2samp

from screening.metrics.intervals import compute_proportion_bounds
from screening.metrics.validation import BoolArray
from screening.types import Record

N_BINS = 10
Values = npt.NDArray[Any]


class DriftMeasure(Record):
    """One comparison of reference and new posts.

    Attributes
    ----------
    name : str
        The column compared.
    reference, current : float
        Medians of a distribution, fractions of a share.
    psi : float
        Population stability index, 0 for equal; by custom below .1 is little, above .25 much.
    distance : float
        Kolmogorov-Smirnov distance in [0, 1]; of a share, the absolute difference.
    p_value : float
        Probability of so much distance by chance: two-sample Kolmogorov-Smirnov, or Fisher's exact test of a share.
    unseen_fraction : float
        Fraction of new posts outside what any reference post showed: beyond the reference's range, or, of a share, in
        excess of the reference label where it is highest.
    unseen_lower_bound : float
        Exact one-sided lower bound of it at the level asked for.
    unseen_p_value : float
        Probability of so many, if the new posts are any mixture of the reference's labels.
    n_reference, n_current : int
    """

    name: str
    reference: float
    current: float
    psi: float
    distance: float = Field(ge=0, le=1)
    p_value: float = Field(ge=0, le=1)
    unseen_fraction: float = Field(ge=0, le=1)
    unseen_lower_bound: float = Field(ge=0, le=1)
    unseen_p_value: float = Field(ge=0, le=1)
    n_reference: int
    n_current: int


def compute_stability_index(reference: Values, current: Values) -> float:
    """Compute the population stability index over bins of equal reference counts; of truth values, over the two.

    Parameters
    ----------
    reference, current : ndarray of float or bool, shapes (n_reference,) and (n_current,)
        Not empty.

    Returns
    -------
    float
        At least 0.

    Notes
    -----
    ``sum (p - q) log(p / q)`` over bins, with half a post added to every bin, so that an empty one has a logarithm.

    Examples
    --------
    >>> round(compute_stability_index(np.arange(1000.0), np.arange(1000.0) + 300), 2)
    2.0
    """
    if reference.dtype == bool:
        edges = np.array([0.5])
    else:
        cuts = np.quantile(reference.astype(float), np.linspace(0, 1, N_BINS + 1)[1:-1], method="higher")
        edges = np.unique(cuts[cuts > reference.min()])
    counts = [
        np.bincount(np.searchsorted(edges, column.astype(float), side="right"), minlength=edges.size + 1) + 0.5
        for column in (reference, current)
    ]
    p, q = (count / count.sum() for count in counts)
    return float(((p - q) * np.log(p / q)).sum())


def measure_distribution(
    name: str, reference: Values, current: Values, label_sizes: Sequence[int], unseen_level: float
) -> DriftMeasure:
    """Compare two distributions of numbers.

    Parameters
    ----------
    reference, current : ndarray, shapes (n_reference,) and (n_current,)
        Finite numbers.
    label_sizes : sequence of int
        Reference posts per label; at least 2 in each.
    unseen_level : float
        Confidence level of ``unseen_lower_bound``.

    Notes
    -----
    The share of a distribution beyond the range of ``n`` draws from it has the distribution Beta(2, n - 1), whatever
    the distribution (Wilks); of ``m`` new draws, BetaBinomial(m, 2, n - 1) fall there. We take the ``n`` of the
    smallest label, as if all new posts were of that one: a change of prevalence cannot do more.
    """
    low, high = reference.min(), reference.max()
    n_unseen = int(((current < low) | (current > high)).sum())
    test = ks_2samp(reference.astype(float), current.astype(float), method="asymp")
    p_unseen = betabinom.sf(n_unseen - 1, current.size, 2, min(label_sizes) - 1) if n_unseen else 1.0
    return DriftMeasure(
        name=name,
        reference=float(np.median(reference)),
        current=float(np.median(current)),
        psi=compute_stability_index(reference, current),
        distance=float(test.statistic),
        p_value=float(test.pvalue),
        unseen_fraction=n_unseen / current.size,
        unseen_lower_bound=_bound_share(n_unseen, current.size, unseen_level),
        unseen_p_value=float(min(p_unseen, 1.0)),
        n_reference=reference.size,
        n_current=current.size,
    )


def measure_share(
    name: str, reference: BoolArray, current: BoolArray, by_label: Sequence[BoolArray], unseen_level: float
) -> DriftMeasure:
    """Compare two shares.

    Parameters
    ----------
    reference, current : ndarray of bool, shapes (n_reference,) and (n_current,)
    by_label : sequence of ndarray of bool
        The reference divided by label.
    unseen_level : float
        Confidence level of ``unseen_lower_bound``.

    Notes
    -----
    A mixture of labels has no larger share than the label where it is largest. Beyond chance it has only if it exceeds
    **every** label in a one-sided Fisher test: the largest of their p-values counts.
    """
    ceiling = max(float(part.mean()) for part in by_label)
    lower_bound = _bound_share(int(current.sum()), current.size, unseen_level)
    return DriftMeasure(
        name=name,
        reference=float(reference.mean()),
        current=float(current.mean()),
        psi=compute_stability_index(reference, current),
        distance=abs(float(current.mean()) - float(reference.mean())),
        p_value=_compare_shares(reference, current, "two-sided"),
        unseen_fraction=max(float(current.mean()) - ceiling, 0.0),
        unseen_lower_bound=max(lower_bound - ceiling, 0.0),
        unseen_p_value=max(_compare_shares(part, current, "less") for part in by_label),
        n_reference=reference.size,
        n_current=current.size,
    )


def _compare_shares(reference: BoolArray, current: BoolArray, alternative: str) -> float:
    table = [[int(column.sum()), int((~column).sum())] for column in (reference, current)]
    return min(float(fisher_exact(table, alternative=alternative).pvalue), 1.0)


def _bound_share(n_success: int, n: int, level: float) -> float:
    """Bound a share from below with one-sided confidence ``level``."""
    low, _ = compute_proportion_bounds(n_success, n, 2 * level - 1)
    return float(low)
