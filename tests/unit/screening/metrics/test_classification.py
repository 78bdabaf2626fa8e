import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import precision_recall_fscore_support

from screening.metrics.classification import CLASS_COLUMNS, METRIC_COLUMNS, compute_class_table, compute_metric_table
from screening.metrics.intervals import compute_proportion_interval

LABELS = ("depression", "anxiety", "bipolar")
PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60)


def pick(table: pd.DataFrame, label: str, metric: str) -> pd.Series:
    return table[(table["label"] == label) & (table["metric"] == metric)].iloc[0]


@given(PAIRS)
def test_class_table_agrees_with_scikit_learn(pairs):
    y_true, y_pred = np.array(pairs).T
    table = compute_class_table(y_true, y_pred, labels=LABELS, split="test")
    oracle = precision_recall_fscore_support(y_true, y_pred, labels=range(3), zero_division=np.nan)
    for metric, values in zip(("precision", "recall", "f1"), oracle, strict=False):
        found = table.loc[table["metric"] == metric, "value"].to_numpy()
        np.testing.assert_allclose(found, values, equal_nan=True)


@given(PAIRS)
def test_intervals_hold_their_values_and_lie_in_zero_to_one(pairs):
    y_true, y_pred = np.array(pairs).T
    table = compute_class_table(y_true, y_pred, labels=LABELS, split="test").dropna()
    assert ((table["low"] <= table["value"] + 1e-12) & (table["value"] <= table["high"] + 1e-12)).all()
    assert table["low"].min() >= 0
    assert table["high"].max() <= 1


def test_class_table_of_seven_posts_by_hand():
    table = compute_class_table([0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 0], labels=LABELS, split="test")
    assert list(table.columns) == list(CLASS_COLUMNS)
    assert pick(table, "depression", "precision")[["value", "n"]].tolist() == [pytest.approx(2 / 3), 3]
    assert pick(table, "anxiety", "recall")[["value", "n"]].tolist() == [pytest.approx(3 / 4), 4]
    assert pick(table, "anxiety", "f1")[["value", "n"]].tolist() == [pytest.approx(6 / 8), 5]
    interval = compute_proportion_interval(3, 4)
    assert pick(table, "anxiety", "recall")[["low", "high"]].tolist() == pytest.approx([interval.low, interval.high])


def test_a_class_without_posts_has_no_values():
    table = compute_class_table([0, 1], [0, 1], labels=LABELS, split="test")
    rows = table[table["label"] == "bipolar"]
    assert rows[["value", "low", "high"]].isna().all(axis=None)
    assert (rows["n"] == 0).all()


@pytest.mark.parametrize("jaccard", [0.3, 0.6, 0.9])
def test_the_interval_of_f1_covers_at_its_level(jaccard):
    n = 40
    covered = np.zeros(n + 1, dtype=bool)
    for hits in range(n + 1):  # the other posts of the class are all missed
        table = compute_class_table([0] * n, [0] * hits + [1] * (n - hits), labels=LABELS, split="test")
        row = pick(table, "depression", "f1")
        covered[hits] = row["low"] <= 2 * jaccard / (1 + jaccard) <= row["high"]
    assert binom.pmf(np.arange(n + 1), n, jaccard)[covered].sum() >= 0.95


def test_metric_table_names_every_metric_with_interval_n_and_split():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 3, 200)
    y_pred = np.where(rng.random(200) < 0.7, y_true, 0)
    table = compute_metric_table(y_true, y_pred, n_classes=3, split="test", rng=rng, n_repeats=200)
    assert list(table.columns) == list(METRIC_COLUMNS)
    assert table["metric"].tolist() == ["accuracy", "macro_f1", "weighted_f1", "macro_recall"]
    assert ((table["low"] < table["value"]) & (table["value"] < table["high"])).all()
    assert (table["n"] == 200).all()
    exact = compute_proportion_interval(int((y_true == y_pred).sum()), 200)
    assert table.loc[0, ["low", "high"]].tolist() == [exact.low, exact.high]


def test_metric_table_of_no_posts_is_undefined_but_complete():
    empty = np.array([], dtype=int)
    table = compute_metric_table(empty, empty, n_classes=3, split="test", rng=np.random.default_rng(0))
    assert len(table) == 4
    assert table[["value", "low", "high"]].isna().all(axis=None)
