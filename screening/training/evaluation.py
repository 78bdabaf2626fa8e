"""What is measured on validation posts after every epoch."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from screening.exceptions import ConfigError
from screening.taxonomy import Taxonomy
from screening.training.collapse import measure_collapse, refuse_divergence

EPOCH_METRICS = (
    "loss",
    "accuracy",
    "macro_f1",
    "weighted_f1",
    "average_precision",
    "effective_rank",
    "largest_share",
    "is_collapsed",
)
"""What stands in a history, in this order."""


def build_metrics(taxonomy: Taxonomy, *, has_class_head: bool = True) -> Callable[[Any], dict[str, float]]:
    """Build the function that the Trainer calls with the logits and representations of all validation posts.

    Parameters
    ----------
    taxonomy : Taxonomy
        Its most urgent target is the one of ``average_precision``.
    has_class_head : bool
        Without it the class head is not trained yet, and :func:`compute_neighbour_logits` stand in for its logits.
    """
    indices = taxonomy.target_indices(taxonomy.targets[0])

    def compute_metrics(prediction: Any) -> dict[str, float]:
        (logits, pooled), y_true = prediction.predictions, prediction.label_ids
        refuse_divergence(logits, pooled)
        if not has_class_head:
            logits = compute_neighbour_logits(pooled, y_true, len(taxonomy.names))
        return _measure_predictions(logits, y_true, indices) | measure_collapse(pooled, logits, y_true)

    return compute_metrics


def refuse_unmeasurable(best_by: str, taxonomy: Taxonomy, labels: Collection[str]) -> None:
    """Refuse to choose the epoch by average precision on validation posts that are all alike for its target.

    Parameters
    ----------
    best_by : str
        ``training.best_by``.
    taxonomy : Taxonomy
    labels : collection of str, length n_posts
        Of the validation posts.

    Raises
    ------
    ConfigError
        If every epoch would measure the same, so that the first is kept and training stops early.
    """
    target = taxonomy.targets[0]
    n_positive = sum(label in target.labels for label in labels)
    if best_by == "average_precision" and n_positive in (0, len(labels)):
        message = (
            f"training.best_by: average_precision needs validation posts of target {target.name!r} "
            f"({', '.join(target.labels)}) and others, found {n_positive} of it among {len(labels)}; enlarge "
            "data.validation_fraction, add such posts, or set training.best_by=macro_f1"
        )
        raise ConfigError(message)


def compute_neighbour_logits(pooled: ArrayLike, labels: ArrayLike, n_classes: int) -> NDArray[np.float64]:
    """Compute each post's mean cosine with the other posts of every class: what a representation alone can tell.

    Parameters
    ----------
    pooled : array_like of float, shape (n_posts, n_hidden)
    labels : array_like of int, shape (n_posts,)
    n_classes : int

    Returns
    -------
    ndarray of shape (n_posts, n_classes)
        -1, the least a cosine can be, for a class without other posts.

    Examples
    --------
    >>> compute_neighbour_logits([[1, 0], [2, 0], [0, 1]], [0, 0, 1], 2).tolist()
    [[1.0, 0.0], [1.0, 0.0], [0.0, -1.0]]
    """
    rows, classes = np.asarray(pooled, dtype=np.float64), np.eye(n_classes)[np.asarray(labels)]
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    totals = unit @ (unit.T @ classes) - classes * np.sum(unit**2, axis=1, keepdims=True)  # (n_posts, n_classes)
    n_others = classes.sum(axis=0) - classes
    return np.where(n_others > 0, totals / np.maximum(n_others, 1), -1.0)


def _measure_predictions(logits: np.ndarray, y_true: np.ndarray, indices: Any) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, average_precision_score, f1_score

    y_pred = logits.argmax(axis=1)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    y_score = probabilities[:, indices].sum(axis=1) / probabilities.sum(axis=1)
    return {
        "accuracy": float(accuracy_score(y_true, y_pred)),
        "macro_f1": float(f1_score(y_true, y_pred, average="macro", zero_division=0)),
        "weighted_f1": float(f1_score(y_true, y_pred, average="weighted", zero_division=0)),
        "average_precision": float(average_precision_score(np.isin(y_true, indices), y_score)),
    }
