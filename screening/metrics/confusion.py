"""Confusion matrices and the averages read off them, one or thousands at a time."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from screening.metrics.validation import validate_classes

Matrices = npt.NDArray[np.int64] | npt.NDArray[np.float64]
Values = npt.NDArray[np.float64]
LabelMetric = Literal["accuracy", "macro_f1", "weighted_f1", "macro_recall"]


def compute_confusion_matrix(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, *, n_classes: int) -> npt.NDArray[np.int64]:
    """Count posts by true (row) and predicted (column) class.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n_posts,)
        Class indices in ``[0, n_classes)``.

    Returns
    -------
    ndarray of int, shape (n_classes, n_classes)
        All zero for no posts.

    Examples
    --------
    >>> compute_confusion_matrix([0, 0, 1], [0, 1, 1], n_classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    true = validate_classes(y_true, n_classes)
    predicted = validate_classes(y_pred, n_classes, true.size)
    counts = np.bincount(true * n_classes + predicted, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def compute_accuracy(matrices: Matrices) -> Values:
    """Compute the share of posts classified right; matrices of shape (..., C, C) give values of shape (...)."""
    return _divide(_diagonal(matrices).sum(axis=-1), matrices.sum(axis=(-2, -1)))


def compute_macro_f1(matrices: Matrices) -> Values:
    """Average F1 over the classes that occur among true or predicted labels (scikit-learn's default labels)."""
    f1, occurrences, _ = _compute_f1(matrices)
    return _average(f1, occurrences > 0)


def compute_weighted_f1(matrices: Matrices) -> Values:
    """Average F1 weighted by each class's number of true posts."""
    f1, _, support = _compute_f1(matrices)
    return _average(f1, support)


def compute_macro_recall(matrices: Matrices) -> Values:
    """Average recall over the classes with true posts (balanced accuracy)."""
    support = matrices.sum(axis=-1)
    return _average(np.nan_to_num(_divide(_diagonal(matrices), support)), support > 0)


LABEL_METRICS: MappingProxyType[LabelMetric, Callable[[Matrices], Values]] = MappingProxyType(
    {
        "accuracy": compute_accuracy,
        "macro_f1": compute_macro_f1,
        "weighted_f1": compute_weighted_f1,
        "macro_recall": compute_macro_recall,
    }
)
"""All are fractions in [0, 1], higher is better, NaN for no posts."""


def _compute_f1(matrices: Matrices) -> tuple[Values, Values, Values]:
    """F1 = 2 TP / (true + predicted) per class, 0 where a class does not occur; with occurrences and true counts."""
    support = matrices.sum(axis=-1).astype(np.float64)
    occurrences = support + matrices.sum(axis=-2)
    return np.nan_to_num(_divide(2 * _diagonal(matrices), occurrences)), occurrences, support


def _diagonal(matrices: Matrices) -> Values:
    return np.diagonal(matrices, axis1=-2, axis2=-1).astype(np.float64)


def _average(values: Values, weights: npt.NDArray[np.bool_] | Values) -> Values:
    return _divide((values * weights).sum(axis=-1), weights.sum(axis=-1))


def _divide(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Values:
    """Divide, with NaN where the denominator is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
