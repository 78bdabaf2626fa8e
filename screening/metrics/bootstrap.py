"""Seeded percentile bootstrap: intervals where no exact one exists, and paired differences between two models.

Posts are resampled independently; several posts of one author make the intervals too narrow.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from screening.metrics.confusion import LABEL_METRICS, LabelMetric, compute_confusion_matrix
from screening.metrics.validation import ClassArray, validate_classes
from screening.types import Estimate, Interval

N_REPEATS = 2_000


def compute_bootstrap_interval(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    n_classes: int,
    metric: LabelMetric,
    rng: np.random.Generator,
    n_repeats: int = N_REPEATS,
    confidence_level: float = 0.95,
) -> Interval | None:
    """Compute a bootstrap interval of a label metric.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n_posts,)
        Class indices.
    metric : str
        A key of ``LABEL_METRICS``.
    rng : numpy.random.Generator
        The same state gives the same interval.

    Returns
    -------
    Interval or None
        ``None`` for no posts.

    Notes
    -----
    Resampling posts with replacement is drawing the cells of the confusion matrix from a multinomial distribution: the
    same distribution, thousands of repeats at once.
    """
    true = validate_classes(y_true, n_classes)
    predicted = validate_classes(y_pred, n_classes, true.size)
    if true.size == 0:
        return None
    (matrices,) = _resample_matrices(true, (predicted,), n_classes, rng, n_repeats)
    return _percentile_interval(LABEL_METRICS[metric](matrices), confidence_level)


def compute_paired_difference(
    y_true: npt.ArrayLike,
    y_pred_pair: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    n_classes: int,
    metric: LabelMetric,
    split: str,
    rng: np.random.Generator,
    n_repeats: int = N_REPEATS,
    confidence_level: float = 0.95,
) -> Estimate:
    """Estimate metric(first) - metric(second) of a pair of predictions on the same posts, resampled together.

    Parameters
    ----------
    y_true : array-like of int, shape (n_posts,)
        Class indices.
    y_pred_pair : two array-likes of int, shape (n_posts,)
        Predictions of the first and the second model.

    Returns
    -------
    Estimate
        In [-1, 1]; above 0 the first model is better. An interval without 0 is evidence of a difference on posts like
        these. Value and interval are ``None`` for no posts.
    """
    true = validate_classes(y_true, n_classes)
    pair = tuple(validate_classes(predicted, n_classes, true.size) for predicted in y_pred_pair)
    if true.size == 0:
        return Estimate(value=None, interval=None, n_samples=0, split=split)
    compute = LABEL_METRICS[metric]
    first, second = (compute(compute_confusion_matrix(true, predicted, n_classes=n_classes)) for predicted in pair)
    resampled = [compute(matrices) for matrices in _resample_matrices(true, pair, n_classes, rng, n_repeats)]
    interval = _percentile_interval(resampled[0] - resampled[1], confidence_level)
    return Estimate(value=float(first - second), interval=interval, n_samples=true.size, split=split)


def compute_resampled_interval(
    statistic: Callable[..., float],
    *columns: npt.NDArray[np.generic],
    rng: np.random.Generator,
    n_repeats: int = 500,
    confidence_level: float = 0.95,
) -> Interval | None:
    """Compute a bootstrap interval of any statistic of posts (average precision, Brier score, a paired difference).

    Parameters
    ----------
    statistic : callable
        Takes the columns, resampled together; returns a float, NaN where undefined.
    *columns : ndarray, shape (n_posts, ...)
        Rows stand for the same posts.

    Returns
    -------
    Interval or None
        ``None`` if the statistic is undefined in every repeat; undefined repeats are left out.

    Examples
    --------
    >>> values = np.arange(100.0)
    >>> interval = compute_resampled_interval(np.mean, values, rng=np.random.default_rng(0))
    >>> interval.low < 49.5 < interval.high
    True
    """
    n_posts = len(columns[0])
    if n_posts == 0:
        return None
    rows = (rng.integers(0, n_posts, n_posts) for _ in range(n_repeats))
    return _percentile_interval(
        np.array([statistic(*(column[row] for column in columns)) for row in rows]), confidence_level
    )


def _resample_matrices(
    true: ClassArray, predictions: tuple[ClassArray, ...], n_classes: int, rng: np.random.Generator, n_repeats: int
) -> list[npt.NDArray[np.float64]]:
    """Draw confusion matrices, shape (n_repeats, C, C), per model; the models see the same resampled posts."""
    shape = (n_classes,) * (1 + len(predictions))
    counts = np.bincount(np.ravel_multi_index((true, *predictions), shape))
    occupied = np.flatnonzero(counts)
    cells = np.unravel_index(occupied, shape)
    share = counts[occupied] / true.size
    draws = rng.multinomial(true.size, share, size=n_repeats).astype(np.float64)  # (n_repeats, n_cells)
    stacks = []
    for predicted in cells[1:]:
        places = np.zeros((occupied.size, n_classes**2))
        places[np.arange(occupied.size), cells[0] * n_classes + predicted] = 1
        stacks.append((draws @ places).reshape(n_repeats, n_classes, n_classes))
    return stacks


def _percentile_interval(values: npt.NDArray[np.float64], confidence_level: float) -> Interval | None:
    defined = values[~np.isnan(values)]
    if defined.size == 0:
        return None
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(defined, (tail, 1 - tail))
    return Interval(low=float(low), high=float(high), confidence_level=confidence_level)
