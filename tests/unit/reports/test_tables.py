"""How numbers read, and the remaining tables against counting by hand."""

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_score, recall_score

from reports.results import RunResults
from reports.sections.comparators import build_promise_comparison
from reports.sections.curves import build_curve, build_histogram
from reports.sections.data_flow import build_flow, build_splits
from reports.sections.explanations import build_explanations
from reports.sections.thresholds import build_operating_points, build_triage_counts
from reports.tables import Column, Table, format_cell, format_value, join_bounds
from screening.config import DataConfig
from screening.data.card import DataCard, FilterCount
from screening.data.preparation import prepare_posts
from screening.exceptions import SchemaError


def find_filter(card: DataCard, step: str) -> FilterCount:
    return next(count for count in card.filters if count.step == step)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (0.95, "fraction", "95.0%"),
        (0.0004, "fraction", "0.04%"),
        (0.99996, "fraction", ">99.9%"),
        (1.0, "fraction", "100.0%"),
        (0.00001, "fraction", "<0.01%"),
        (0.0, "fraction", "0.0%"),
        (0.001, "number", "<0.01"),
        (float("inf"), "number", "∞"),
        (12345.6, "number", "12,346"),
        (-0.031, "percent_points", "\u22123.1"),
        (None, "count", "–"),
    ],
)
def test_numbers_never_read_as_something_they_are_not(value: float | None, kind: str, words: str) -> None:
    assert format_value(value, kind) == words  # type: ignore[arg-type]  # the parameter list holds only kinds


def test_a_cell_carries_interval_and_n_under_its_value() -> None:
    record = {"recall": 0.9, "recall_low": 0.8, "recall_high": 0.95, "recall_n": 1200}
    cell = format_cell(record, Column("recall", "Recall", "fraction", interval=True, n_key="recall_n"))
    assert (cell.value, cell.details) == ("90.0%", ("80.0–95.0%", "n = 1,200"))


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0.999, 0.99999, "99.9% to >99.9%"), (0.1, 0.2, "10.0–20.0%"), (1.0, 1.0, "100.0%")]
)
def test_an_interval_reads_once_with_its_unit(low: float, high: float, words: str) -> None:
    record = {"npv": high, "npv_low": low, "npv_high": high}
    assert format_cell(record, Column("npv", "NPV", "fraction", interval=True)).details == (words,)


def test_operating_points_carry_target_confidence_method_positives_and_bound(results: RunResults) -> None:
    row = build_operating_points(results).frame.set_index("name").loc["suicidewatch"]
    positives = np.sort(results.calibration.loc[results.calibration["label"] == "suicidewatch", "risk_suicidewatch"])
    assert row["n_positive"] == len(positives)
    assert row["threshold"] == positives[row["n_allowed_misses"]]
    assert row["recall_lower_bound"] >= row["target_recall"] == 0.95
    assert "order statistic" in row["method"]


def test_triage_counts_agree_with_the_triage_column_of_the_scores(results: RunResults) -> None:
    row = build_triage_counts(results).frame.set_index("posts").loc["test"]
    counts = results.test["triage"].value_counts()
    for level in ("refer", "review", "no_flag"):
        assert row[level] == counts[level]
        assert row[f"{level}_fraction"] == pytest.approx(counts[level] / len(results.test))


def test_curve_points_agree_with_scikit_learn_at_their_threshold(results: RunResults) -> None:
    curve = build_curve(results).frame
    y_true = results.test["label"].eq("suicidewatch")
    for row in curve[curve["target"] == "suicidewatch"].iloc[[0, 57, 120, 199]].itertuples():
        flagged = results.test["risk_suicidewatch"] >= row.threshold
        assert row.recall == pytest.approx(recall_score(y_true, flagged))
        assert row.precision == pytest.approx(precision_score(y_true, flagged))
        assert row.alerts_per_1000 == pytest.approx(1000 * flagged.mean())


def test_histogram_shares_add_up_to_one_per_group(results: RunResults) -> None:
    frame = build_histogram(results, results.targets[0])
    assert frame[["positive", "negative"]].sum().to_numpy() == pytest.approx([1, 1])
    low = results.test.loc[results.test["label"] == "suicidewatch", "risk_suicidewatch"] < 0.025
    assert frame["positive"].iloc[0] == pytest.approx(low.mean())


def test_flow_names_what_every_filter_dropped(results: RunResults) -> None:
    frame = build_flow(results).frame
    assert frame["n_posts"].tolist() == [1120, 1080, 1080]
    assert frame["n_dropped"].tolist()[1:] == [40, 0]
    splits = build_splits(results).frame.set_index("split")
    assert splits.loc["train"].tolist() == [800, 300, 500]


def test_flow_of_a_prepared_corpus_goes_from_read_to_kept(results: RunResults) -> None:
    card = prepare_posts(DataConfig(n_synthetic=400), results.taxonomy, seed=1).card
    prepared = dataclasses.replace(results, data_card=card.model_dump(mode="json"))
    frame = build_flow(prepared).frame.set_index("step")
    n_cleaned, n_near = (find_filter(card, step).n_posts for step in ("cleaned", "near_duplicates"))
    assert n_cleaned > 0
    assert n_near > 0
    assert frame.loc["cleaned", "n_dropped"] == 0
    assert f": {n_cleaned:,};" in frame.loc["cleaned", "description"]
    assert frame.loc["near duplicates", "n_dropped"] == n_near
    assert frame["n_posts"].iloc[[0, 1, -1]].tolist() == [
        *[find_filter(card, "read").n_posts] * 2, sum(s.n_posts for s in card.splits.values())
    ]  # fmt: skip
    assert frame["n_posts"].diff().iloc[1:].tolist() == (-frame["n_dropped"].iloc[1:]).tolist()


def test_a_card_that_does_not_add_up_is_refused(results: RunResults) -> None:
    card = copy.deepcopy(results.data_card)
    card["filters"][1]["n_posts"] = 41
    with pytest.raises(SchemaError, match=r"expected 1,079 posts kept .*found 1,080"):
        build_flow(dataclasses.replace(results, data_card=card))


def test_explanations_count_posts_and_not_spans(results: RunResults) -> None:
    table = build_explanations(results)
    assert table is not None
    row = table.frame.iloc[0]
    assert (row["n_posts"], row["reliable"], row["reliable_n"]) == (40, 35 / 40, 40)
    assert build_explanations(dataclasses.replace(results, explanations=None)) is None


def test_every_scorer_is_judged_at_its_own_threshold(results: RunResults) -> None:
    frame = build_promise_comparison(results).frame.set_index(["target", "scorer"])
    other = results.comparators["tfidf"]
    point = next(point for point in other.operating_points if point.name == "any_risk")
    flagged = other.test["risk_any_risk"] >= point.threshold
    row = frame.loc[("any_risk", other.name)]
    assert row["alerts_per_1000"] == pytest.approx(1000 * flagged.mean())
    assert row["recall"] == pytest.approx(flagged[other.test["label"] != "offmychest"].mean())
    assert row["control_alerts"] == pytest.approx(1000 * (other.controls["risk_any_risk"] >= point.threshold).mean())


def test_negative_numbers_carry_a_minus_sign_and_their_size_decides_the_decimals() -> None:
    assert [format_value(value, "number") for value in (-37.51, -0.5, -1234.0)] == ["−37.5", "−0.50", "−1,234"]
    assert [format_value(value, "ratio") for value in (1.014, -0.2)] == ["1.01", "−0.20"]
    assert [format_value(value, "p_value") for value in (0.0004, 0.05, 1.0)] == ["<0.001", "0.050", "1.000"]


def test_an_interval_that_ends_near_one_reads_as_words() -> None:
    assert join_bounds("96.5%", ">99.9%") == "96.5% to >99.9%"
    assert join_bounds("96.5%", "98.0%") == "96.5–98.0%"


def test_a_table_is_built_once_per_run_and_anew_for_another_run(results: RunResults) -> None:
    assert build_curve(results) is build_curve(results)
    other = dataclasses.replace(results, test=results.test.head(100))
    assert build_curve(other).frame["n_samples"].iloc[0] == 100


def test_a_table_of_no_rows_still_has_its_columns() -> None:
    columns = (Column("recall", "Recall", "fraction", interval=True, n_key="recall_n"),)
    empty = Table("nothing", "Nothing", pd.DataFrame([]), columns, "test split")
    assert list(empty.frame) == ["recall", "recall_low", "recall_high", "recall_n"]
    assert empty.rows == []
