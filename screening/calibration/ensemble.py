"""How much a second model's logits count beside the first one's."""

import numpy as np
import numpy.typing as npt

from screening.calibration.temperature import MAX_TEMPERATURE, MIN_TEMPERATURE
from screening.metrics.validation import validate_classes

MAX_WEIGHT = 20.0


def fit_ensemble_weight(first: npt.ArrayLike, second: npt.ArrayLike, y_true: npt.ArrayLike) -> float:
    """Fit the weight ``w`` of ``first + w * second`` that minimises the log loss, at the best temperature for it.

    Use the validation split, as for the temperature: the calibration split stays untouched for thresholds.

    Parameters
    ----------
    first, second : array-like, shape (n_posts, n_classes)
        Logits of two models for the same posts.
    y_true : array-like of int, shape (n_posts,)
        True class indices.

    Returns
    -------
    float
        In [0, 20]: near 0 where the second model does not help, exactly 0 where it would have to be negative, and 20
        also where the first model is of no use.

    Raises
    ------
    ValueError
        If shapes or classes are wrong.

    Notes
    -----
    Stacking (Wolpert 1992, doi 10.1016/S0893-6080(05)80023-1) of two models by multinomial logistic regression with one
    coefficient each. The loss is convex in the two, ``1 / temperature`` and ``w / temperature``, so that a local search
    finds the minimum.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 3, 300)
    >>> noise = rng.normal(size=(2, 300, 3))
    >>> clear, useless = 2 * np.eye(3)[y] + noise[0], noise[1]
    >>> fit_ensemble_weight(clear, useless, y) < 0.2
    True
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax, softmax

    members = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    if members.ndim != 3:
        message = f"expected logits of shape (n_posts, n_classes), found {members.shape[1:]}"
        raise ValueError(message)
    n_posts, n_classes = members.shape[1:]
    classes = validate_classes(y_true, n_classes, n_posts)
    observed = np.eye(n_classes)[classes]

    def compute_loss(coefficients: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logits = np.tensordot(coefficients, members, axes=1)  # (n_posts, n_classes)
        loss = -(observed * log_softmax(logits, axis=1)).sum() / n_posts
        gradient = ((softmax(logits, axis=1) - observed) * members).sum(axis=(1, 2)) / n_posts
        return float(loss), gradient

    bounds = ((1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE), (0.0, MAX_WEIGHT))
    found = minimize(compute_loss, np.array([1.0, 1.0]), jac=True, bounds=bounds, method="L-BFGS-B")
    return float(min(found.x[1] / found.x[0], MAX_WEIGHT))
