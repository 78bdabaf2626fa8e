"""How well single classes are told apart: summary, per class, confusion, and beside the comparators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.estimates import spread_estimate
from reports.figures.classifier import plot_confusion
from reports.page import Section
from reports.results import RunResults, encode_labels, once_per_run, predict_labels
from reports.tables import Column, Table
from screening.metrics.bootstrap import compute_paired_difference
from screening.metrics.classification import compute_class_table, compute_metric_table
from screening.metrics.confusion import LabelMetric, compute_confusion_matrix

if TYPE_CHECKING:
    from screening.types import Estimate

METRICS: dict[LabelMetric, str] = {"accuracy": "Accuracy", "macro_f1": "Macro F1", "weighted_f1": "Weighted F1"}
BOOTSTRAP_NOTE = (
    "95% intervals: exact for accuracy, otherwise percentile bootstrap over posts (2,000 resamples, seeded)."
)
PAIRED_NOTE = "95% percentile bootstrap intervals (2,000 resamples, seeded)."


def build_classification_section(results: RunResults) -> Section:
    """Build decisions for one class per post."""
    confusion = build_confusion(results)
    named = confusion.frame.set_index("label").set_axis(results.taxonomy.names, axis="columns")
    return Section(
        name="classification",
        title="Telling classes apart",
        words=(
            "For comparison with published work: one class per post. A flag does not use these decisions; it uses the "
            "risk score of a target, the sum of its labels' probabilities.",
        ),
        tables=(build_summary(results), build_per_class(results)),
        pictures=(plot_confusion(named, "test split"),) if len(results.test) else (),
        folded=(confusion,),
    )


@once_per_run
def build_summary(results: RunResults) -> Table:
    """Summarise accuracy, macro F1 and weighted F1 on test, one row per metric."""
    columns = (
        Column("metric_words", "Metric"),
        Column("value", "Value", "fraction", interval=True, n_key="n"),
    )
    note = f"The class with the highest probability against the label. {BOOTSTRAP_NOTE}"
    return Table("classification", "One class per post", _summarise(results, results.test), columns, "test split", note)


@once_per_run
def build_per_class(results: RunResults) -> Table:
    """Lay precision, recall and F1 of every class side by side."""
    y_true, y_pred = encode_labels(results.test, results.taxonomy), predict_labels(results.test, results.taxonomy)
    long = compute_class_table(y_true, y_pred, labels=results.taxonomy.names, split="test")
    rows = []
    for label, part in long.groupby("label", sort=False):
        record: dict[str, object] = {"label": label}
        for row in part.itertuples():
            name = str(row.metric)
            record |= {name: row.value, f"{name}_low": row.low, f"{name}_high": row.high, f"{name}_n": row.n}
        rows.append(record)
    headings = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
    columns = (
        Column("label", "Label"),
        *(Column(key, words, "fraction", interval=True, n_key=f"{key}_n") for key, words in headings.items()),
    )
    note = "Exact 95% intervals. n: posts read as the class (precision), posts with the label (recall), either (F1)."
    return Table("per_class", "Class by class", pd.DataFrame(rows), columns, "test split", note)


@once_per_run
def build_comparison(results: RunResults) -> Table:
    """Set this screener beside every comparator on the same posts, with paired differences."""
    own = _summarise(results, results.test).set_index("metric")
    rows = []
    for comparator in results.comparators.values():
        if not names_classes(comparator.test, results):
            continue
        scores = align_posts(comparator.test, results.test)
        other = _summarise(results, scores).set_index("metric")
        for metric, words in METRICS.items():
            record: dict[str, object] = {"comparator": comparator.name, "metric": metric, "metric_words": words}
            record |= {"value": own.loc[metric, "value"], "other": other.loc[metric, "value"]}
            rows.append(record | spread_estimate("difference", _compare(results, scores, metric)))
    columns = (
        Column("metric_words", "Metric"),
        Column("comparator", "Compared with"),
        Column("value", "This screener", "fraction"),
        Column("other", "The other", "fraction"),
        Column("difference", "Difference, points", "percent_points", interval=True, n_key="difference_n"),
    )
    note = f"Same posts, resampled together; above 0 this screener is better. {PAIRED_NOTE}"
    return Table("comparison", "One class per post, other scorers", pd.DataFrame(rows), columns, "test split", note)


def names_classes(scores: pd.DataFrame, results: RunResults) -> bool:
    """Whether a score table has a probability for every class; a keyword list's has none."""
    return {f"prob_{name}" for name in results.taxonomy.names} <= set(scores)


def align_posts(scores: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Put a comparator's rows in the order of the reference's posts.

    Raises
    ------
    ValueError
        If the two tables do not hold the same posts: a paired difference would compare strangers.
    """
    ids, asked = pd.Index(scores["post_id"]), pd.Index(reference["post_id"])
    if ids.is_unique and len(ids) == len(asked):
        if ids.equals(asked):
            return scores.reset_index(drop=True)
        places = ids.get_indexer(asked)
        if (places >= 0).all() and asked.is_unique:
            return scores.iloc[places].reset_index(drop=True)
    n_shared = len(set(ids) & set(asked))
    message = (
        f"expected a comparator's scores of the same {len(reference)} posts, found {len(scores)} rows of which "
        f"{n_shared} posts are shared; score the test split again with both"
    )
    raise ValueError(message)


def build_confusion(results: RunResults) -> Table:
    """Count test posts by label and most probable class."""
    names = results.taxonomy.names
    counts = _count_confusion(results)
    keys = [f"n_{name}" for name in names]  # a column named as a label might pass for one of persons or posts
    frame = pd.DataFrame(counts, columns=keys)
    frame.insert(0, "label", list(names))
    columns = (Column("label", "Label"), *(Column(key, name, "count") for key, name in zip(keys, names, strict=True)))
    note = f"Rows: label. Columns: most probable class. n = {counts.sum():,} posts."
    return Table("confusion", "Confusion of classes", frame, columns, "test split", note)


def _count_confusion(results: RunResults) -> np.ndarray:
    y_true, y_pred = encode_labels(results.test, results.taxonomy), predict_labels(results.test, results.taxonomy)
    return compute_confusion_matrix(y_true, y_pred, n_classes=len(results.taxonomy.names))


def _summarise(results: RunResults, scores: pd.DataFrame) -> pd.DataFrame:
    y_true, y_pred = encode_labels(scores, results.taxonomy), predict_labels(scores, results.taxonomy)
    n_classes = len(results.taxonomy.names)
    table = compute_metric_table(y_true, y_pred, n_classes=n_classes, split="test", rng=_make_rng(results))
    table = table[table["metric"].isin(METRICS)].reset_index(drop=True)
    table.insert(1, "metric_words", table["metric"].map(dict(METRICS)))
    return table


def _compare(results: RunResults, other: pd.DataFrame, metric: LabelMetric) -> Estimate:
    """Paired difference of this screener and another on the same posts, in the same order."""
    return compute_paired_difference(
        encode_labels(results.test, results.taxonomy),
        (predict_labels(results.test, results.taxonomy), predict_labels(other, results.taxonomy)),
        n_classes=len(results.taxonomy.names),
        metric=metric,
        split="test",
        rng=_make_rng(results),
    )


def _make_rng(results: RunResults) -> np.random.Generator:
    """Start the same stream for every interval, so that a table does not depend on which others are built."""
    return np.random.default_rng(results.config.seed)
