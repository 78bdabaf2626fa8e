"""Tables of label metrics: overall and per class, each row with its interval and its n."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from screening.metrics.bootstrap import N_REPEATS, compute_bootstrap_interval
from screening.metrics.confusion import LABEL_METRICS, compute_confusion_matrix
from screening.metrics.intervals import compute_proportion_bounds, estimate_proportion
from screening.types import Estimate

METRIC_COLUMNS = ("metric", "value", "low", "high", "n", "split")
CLASS_COLUMNS = ("label", *METRIC_COLUMNS)


def compute_metric_table(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    n_classes: int,
    split: str,
    rng: np.random.Generator,
    n_repeats: int = N_REPEATS,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Compute accuracy, macro-F1, weighted F1 and macro-recall.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n_posts,)
        Class indices in ``[0, n_classes)``.
    split : str
        Where the posts come from.
    rng : numpy.random.Generator
        For the bootstrap intervals (all but accuracy's, which is exact).

    Returns
    -------
    pandas.DataFrame
        Columns ``metric value low high n split``, one row per metric; fractions in [0, 1], higher is better; ``n``
        counts posts. Value and bounds are NaN for no posts.
    """
    matrix = compute_confusion_matrix(y_true, y_pred, n_classes=n_classes)
    n, n_right = int(matrix.sum()), int(np.trace(matrix))
    estimates = {"accuracy": estimate_proportion(n_right, n, split=split, confidence_level=confidence_level)}
    for metric, compute in LABEL_METRICS.items():
        if metric == "accuracy":
            continue
        interval = compute_bootstrap_interval(
            y_true,
            y_pred,
            n_classes=n_classes,
            metric=metric,
            rng=rng,
            n_repeats=n_repeats,
            confidence_level=confidence_level,
        )
        value = float(compute(matrix)) if n else None
        estimates[metric] = Estimate(value=value, interval=interval, n_samples=n, split=split)
    return tabulate_estimates(estimates)


def compute_class_table(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    labels: Sequence[str],
    split: str,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Compute precision, recall and F1 of every class, with exact intervals.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n_posts,)
        Indices into ``labels``.
    labels : sequence of str
        Class names in the order of the indices.

    Returns
    -------
    pandas.DataFrame
        Columns ``label metric value low high n split``, three rows per class; fractions in [0, 1], higher is better.
        ``n`` is what the metric divides by: predicted posts (precision), true posts (recall), posts that are either
        (F1). Value and bounds are NaN where ``n`` is 0.

    Notes
    -----
    Clopper-Pearson intervals of proportions. F1 is ``2 J / (1 + J)`` with the Jaccard index ``J``, a proportion among
    posts that are truly or predictedly in the class; the interval of ``J`` maps to F1's because the map is increasing.
    """
    matrix = compute_confusion_matrix(y_true, y_pred, n_classes=len(labels))
    hits, n_true, n_predicted = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    totals = {"precision": n_predicted, "recall": n_true, "f1": n_true + n_predicted - hits}
    parts = []
    for metric, n in totals.items():
        low, high = compute_proportion_bounds(hits, n, confidence_level)
        part = pd.DataFrame({"value": hits / np.where(n == 0, 1, n), "low": low, "high": high})
        if metric == "f1":
            part = 2 * part / (1 + part)
        part[n == 0] = np.nan
        parts.append(part.assign(label=list(labels), metric=metric, n=n, split=split))
    order = np.arange(len(labels) * len(totals)).reshape(len(totals), -1).T.ravel()  # class by class
    return pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)[list(CLASS_COLUMNS)]


def tabulate_estimates(estimates: dict[str, Estimate]) -> pd.DataFrame:
    """Lay named estimates out as a table with columns ``metric value low high n split``; NaN where undefined.

    Examples
    --------
    >>> table = tabulate_estimates({"recall": estimate_proportion(10, 10, split="test")})
    >>> table[["metric", "value", "high", "n"]].values.tolist()
    [['recall', 1.0, 1.0, 10]]
    """
    rows = [
        (
            name,
            np.nan if estimate.value is None else estimate.value,
            np.nan if estimate.interval is None else estimate.interval.low,
            np.nan if estimate.interval is None else estimate.interval.high,
            estimate.n_samples,
            estimate.split,
        )
        for name, estimate in estimates.items()
    ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))
