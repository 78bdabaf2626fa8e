"""Arrays that metrics, thresholds and calibration accept: checked once, refused with a count and never shown."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32] | npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
ClassArray = npt.NDArray[np.int64]


def validate_scores(y_score: npt.ArrayLike) -> FloatArray:
    """Return scores as a one-dimensional array of finite floats, in their own precision.

    Parameters
    ----------
    y_score : array-like of float32 or float64, shape (n_posts,)
        Scores of posts, higher meaning more like the positives.

    Raises
    ------
    ValueError
        If the type, shape or values are anything else.
    """
    scores = np.asarray(y_score)
    if scores.dtype not in (np.float32, np.float64):
        message = f"expected scores of type float32 or float64, found {scores.dtype}; pass probabilities, not labels"
        raise ValueError(message)
    if scores.ndim != 1:
        message = f"expected scores of shape (n_posts,), found {scores.shape}; pass one target at a time"
        raise ValueError(message)
    n_bad = int(np.count_nonzero(~np.isfinite(scores)))
    if n_bad:
        message = f"expected finite scores, found {n_bad} of {scores.size} NaN or infinite; check the model's outputs"
        raise ValueError(message)
    return scores


def validate_binary(y_true: npt.ArrayLike, n_samples: int | None = None) -> BoolArray:
    """Return labels or flags as booleans.

    Parameters
    ----------
    y_true : array-like of bool or 0/1, shape (n_posts,)
        1 marks a positive (or a flagged) post.
    n_samples : int, optional
        Number of posts expected.

    Raises
    ------
    ValueError
        If the type, shape or values are anything else.
    """
    labels = np.asarray(y_true)
    if labels.ndim != 1 or (n_samples is not None and labels.size != n_samples):
        expected = "n_posts" if n_samples is None else n_samples
        message = f"expected one label per score, shape ({expected},), found {labels.shape}"
        raise ValueError(message)
    if labels.size and (labels.dtype.kind not in "biu" or not np.isin(labels, (0, 1)).all()):
        message = f"expected labels of type bool or 0/1 (1: positive), found type {labels.dtype}; compare names first"
        raise ValueError(message)
    return labels.astype(bool)


def validate_classes(y_true: npt.ArrayLike, n_classes: int, n_samples: int | None = None) -> ClassArray:
    """Return class indices as integers in ``[0, n_classes)``.

    Raises
    ------
    ValueError
        If the type, shape or values are anything else.
    """
    classes = np.asarray(y_true)
    wrong_size = n_samples is not None and classes.size != n_samples
    if classes.ndim != 1 or wrong_size or (classes.size and classes.dtype.kind not in "iu"):
        message = (
            f"expected {'' if n_samples is None else f'{n_samples} '}integer class indices, found shape "
            f"{classes.shape}, type {classes.dtype}"
        )
        raise ValueError(message)
    if classes.size and not (classes.min() >= 0 and classes.max() < n_classes):
        message = f"expected class indices in [0, {n_classes}), found {classes.min()} to {classes.max()}"
        raise ValueError(message)
    return classes.astype(np.int64)


def validate_probabilities(y_prob: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return probabilities in double precision, all in [0, 1]; rows of a two-dimensional array must sum to 1.

    Raises
    ------
    ValueError
        If a value lies outside [0, 1] or is not finite, or a row's sum differs from 1 by more than 1e-4 (single
        precision over many classes).
    """
    probabilities = np.asarray(y_prob, dtype=np.float64)
    n_bad = int(np.count_nonzero(~((probabilities >= 0) & (probabilities <= 1))))
    if n_bad:
        message = f"expected probabilities in [0, 1], found {n_bad} of {probabilities.size} outside; scale logits first"
        raise ValueError(message)
    if probabilities.ndim == 2 and not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        message = "expected rows of probabilities that sum to 1; pass all classes"
        raise ValueError(message)
    return probabilities
