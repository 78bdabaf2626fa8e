"""How far readers of the same posts agree beyond chance: Cohen's kappa and Krippendorff's alpha, nominal categories.

Both are 1 for full agreement and 0 for what chance would give; below 0 readers disagree more than by chance.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from screening.metrics.bootstrap import N_REPEATS
from screening.types import Estimate, Interval

Ratings = Sequence[Sequence[str | None]]
_FloatArray = npt.NDArray[np.float64]
_TINY = 1e-12  # rounding in sums of fractions such as 1 / (m - 1)


def compute_cohen_kappa(
    first: Sequence[str | None],
    second: Sequence[str | None],
    *,
    split: str,
    rng: np.random.Generator,
    n_repeats: int = N_REPEATS,
    confidence_level: float = 0.95,
) -> Estimate:
    """Estimate Cohen's kappa of two readers, with a percentile bootstrap interval over posts.

    Parameters
    ----------
    first, second : sequence of str or None, length n_posts
        Category each reader gave; posts that lack one of them are left out.
    split : str
        Which posts these are; carried with the number.
    rng : numpy.random.Generator
        The same state gives the same interval.

    Returns
    -------
    Estimate
        In [-1, 1]; ``n_samples`` counts posts read by both. Value and interval are ``None`` without such posts, or if
        both readers gave one and the same category throughout (chance alone would agree fully).

    Raises
    ------
    ValueError
        If the readers' lists differ in length.

    Notes
    -----
    ``kappa = (p_o - p_e) / (1 - p_e)``; ``p_o`` is the share of equal categories and ``p_e`` the share that two
    independent readers with these two readers' own frequencies would give. Assumes posts are independent of each other.

    References
    ----------
    Cohen (1960), A coefficient of agreement for nominal scales, doi:10.1177/001316446002000104.

    Examples
    --------
    >>> first, second = ["a"] * 45 + ["b"] * 55, ["a"] * 25 + ["b"] * 20 + ["a"] * 10 + ["b"] * 45
    >>> kappa = compute_cohen_kappa(first, second, split="demo", rng=np.random.default_rng(0))
    >>> round(kappa.value, 3), kappa.n_samples
    (0.381, 100)
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    codes = _encode(pairs)
    n_categories = int(codes.max(initial=-1)) + 1
    tables = np.zeros((len(pairs), n_categories, n_categories))
    tables[np.arange(len(pairs)), codes[:, 0], codes[:, 1]] = 1
    return _estimate(_kappa, tables, split=split, rng=rng, n_repeats=n_repeats, confidence_level=confidence_level)


def compute_krippendorff_alpha(
    ratings: Ratings,
    *,
    split: str,
    rng: np.random.Generator,
    n_repeats: int = N_REPEATS,
    confidence_level: float = 0.95,
) -> Estimate:
    """Estimate Krippendorff's nominal alpha of any number of readers, with a percentile bootstrap interval over posts.

    Parameters
    ----------
    ratings : sequence of n_posts sequences of str or None
        The categories each post was given; ``None`` stands for a reader who did not read it. Posts may have different
        numbers of readers; those with fewer than two are left out.
    split, rng
        As :func:`compute_cohen_kappa`.

    Returns
    -------
    Estimate
        At most 1; ``n_samples`` counts posts with two readers or more. Value and interval are ``None`` without such
        posts, or if a single category was given throughout (nothing varies, so nothing can be agreed on).

    Notes
    -----
    ``alpha = 1 - D_o / D_e`` from the coincidence matrix ``o``: each post with m ratings adds 1 / (m - 1) for every
    ordered pair of them, so that every rating counts once. ``D_o`` is the sum of o off the diagonal and
    ``D_e = (n^2 - sum of n_c^2) / (n - 1)`` with ``n_c`` the number of ratings in category c. Assumes posts are
    independent of each other and readers interchangeable.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's alpha-reliability, University of Pennsylvania.

    Examples
    --------
    >>> ratings = list(zip("0100000010", "1110010000"))
    >>> alpha = compute_krippendorff_alpha(ratings, split="demo", rng=np.random.default_rng(0))
    >>> round(alpha.value, 3), alpha.n_samples
    (0.095, 10)
    """
    read = [[rating for rating in post if rating is not None] for post in ratings]
    units = [post for post in read if len(post) > 1]
    categories = {name: i for i, name in enumerate(sorted({rating for post in units for rating in post}))}
    tables = np.zeros((len(units), len(categories), len(categories)))
    for i, post in enumerate(units):
        counts = np.bincount([categories[rating] for rating in post], minlength=len(categories))
        tables[i] = (np.outer(counts, counts) - np.diag(counts)) / (len(post) - 1)
    return _estimate(_alpha, tables, split=split, rng=rng, n_repeats=n_repeats, confidence_level=confidence_level)


def _encode(pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.intp]:
    """Return category numbers, shape (n_pairs, 2)."""
    categories = {name: i for i, name in enumerate(sorted({name for pair in pairs for name in pair}))}
    return np.array([[categories[a], categories[b]] for a, b in pairs], dtype=np.intp).reshape(-1, 2)


def _kappa(tables: _FloatArray) -> _FloatArray:
    """Kappa of contingency tables, shape (..., C, C); NaN where chance agrees fully or nothing was read."""
    n = tables.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(tables, axis1=-2, axis2=-1) / n
        expected = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / n**2
        return np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)


def _alpha(tables: _FloatArray) -> _FloatArray:
    """Alpha of coincidence matrices, shape (..., C, C); NaN where a single category was given or nothing was read."""
    n_category = tables.sum(axis=-1)
    n = n_category.sum(axis=-1)
    disagreement = n - np.trace(tables, axis1=-2, axis2=-1)
    by_chance = n**2 - (n_category**2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(by_chance > _TINY * n**2, 1 - (n - 1) * disagreement / by_chance, np.nan)


def _estimate(
    coefficient: Callable[[_FloatArray], _FloatArray],
    tables: _FloatArray,
    *,
    split: str,
    rng: np.random.Generator,
    n_repeats: int,
    confidence_level: float,
) -> Estimate:
    """Compute a coefficient of summed tables, one per post, shape (n_posts, C, C), and resample the posts."""
    n_posts = len(tables)
    value = float(coefficient(tables.sum(axis=0))) if n_posts else float("nan")
    if np.isnan(value):
        return Estimate(value=None, interval=None, n_samples=n_posts, split=split)
    kinds, counts = np.unique(tables, axis=0, return_counts=True)  # posts with equal tables are drawn together
    draws = rng.multinomial(n_posts, counts / n_posts, size=n_repeats).astype(np.float64)  # (n_repeats, n_kinds)
    resampled = coefficient(np.tensordot(draws, kinds, axes=1))
    low, high = np.nanquantile(resampled, ((1 - confidence_level) / 2, (1 + confidence_level) / 2))
    interval = Interval(low=float(low), high=float(high), confidence_level=confidence_level)
    return Estimate(value=value, interval=interval, n_samples=n_posts, split=split)
