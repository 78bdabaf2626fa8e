"""Class tables against scikit-learn, and paired comparisons against facts that must hold."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from reports.results import Comparator, RunResults, encode_labels
from reports.sections.classification import (
    align_posts,
    build_comparison,
    build_confusion,
    build_per_class,
    build_summary,
)


def predict(results: RunResults) -> tuple[np.ndarray, np.ndarray]:
    """Classes by a second way: the name of the largest column."""
    names = list(results.taxonomy.names)
    columns = [f"prob_{name}" for name in names]
    largest = results.test[columns].idxmax(axis=1).str.removeprefix("prob_")
    return results.test["label"].map(names.index).to_numpy(), largest.map(names.index).to_numpy()


def test_summary_agrees_with_scikit_learn(results: RunResults) -> None:
    y_true, y_pred = predict(results)
    oracle = {
        "accuracy": accuracy_score(y_true, y_pred),
        "macro_f1": f1_score(y_true, y_pred, average="macro"),
        "weighted_f1": f1_score(y_true, y_pred, average="weighted"),
    }
    frame = build_summary(results).frame.set_index("metric")
    assert frame["value"].to_dict() == pytest.approx(oracle)
    assert ((frame["low"] < frame["value"]) & (frame["value"] < frame["high"])).all()
    assert (frame["n"] == len(y_true)).all()


def test_per_class_table_agrees_with_scikit_learn(results: RunResults) -> None:
    precision, recall, f1, support = precision_recall_fscore_support(*predict(results))
    frame = build_per_class(results).frame
    assert frame["label"].tolist() == list(results.taxonomy.names)
    for name, oracle in (("precision", precision), ("recall", recall), ("f1", f1), ("recall_n", support)):
        assert frame[name].to_numpy() == pytest.approx(oracle), name


def test_confusion_agrees_with_scikit_learn(results: RunResults) -> None:
    frame = build_confusion(results).frame.set_index("label")
    assert (frame.to_numpy() == confusion_matrix(*predict(results))).all()


def test_difference_to_the_comparator_is_the_difference_of_the_two_values(results: RunResults) -> None:
    frame = build_comparison(results).frame
    assert frame["difference"].to_numpy() == pytest.approx((frame["value"] - frame["other"]).to_numpy())
    assert (frame["difference_low"] > 0).all(), "the made comparator is far weaker"


def test_a_scorer_does_not_differ_from_itself_even_in_another_order(results: RunResults) -> None:
    shuffled = results.test.sample(frac=1, random_state=3)
    twin = dataclasses.replace(results, comparators={"twin": Comparator("twin", shuffled)})
    frame = build_comparison(twin).frame
    assert (frame[["difference", "difference_low", "difference_high"]] == 0).all().all()


def test_a_comparator_of_other_posts_is_refused(results: RunResults) -> None:
    strangers = results.test.assign(post_id=lambda table: "x" + table["post_id"])
    with pytest.raises(ValueError, match="0 posts are shared"):
        align_posts(strangers, results.test)


def test_aliases_of_labels_count_as_the_label(results: RunResults) -> None:
    table = results.test.head(1).assign(label="self.Anxiety")
    assert encode_labels(table, results.taxonomy).tolist() == [results.taxonomy.names.index("anxiety")]
