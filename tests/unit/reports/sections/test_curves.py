"""Curves, areas and the slider's table against other libraries and counting by hand."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from reports.results import RunResults
from reports.sections.cost import build_deployment
from reports.sections.curves import build_curve, build_ranking
from reports.sections.decision import build_decision_curve, build_decision_section
from reports.sections.other_thresholds import build_other_thresholds, build_slider
from reports.sections.recall import build_performance

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # dcurves imports its plots and survival models
    from dcurves import dca


def test_false_alarms_on_the_curve_are_the_flags_among_other_posts(results: RunResults) -> None:
    curve = build_curve(results).frame
    others = results.test[results.test["label"] == "offmychest"]
    for row in curve[curve["target"] == "any_risk"].iloc[[0, 90, 150, 199]].itertuples():
        n_flagged = int((others["risk_any_risk"] >= row.threshold).sum())
        oracle = binomtest(n_flagged, len(others)).proportion_ci(method="exact")
        assert row.false_alarm_rate == pytest.approx(n_flagged / len(others))
        assert (row.false_alarm_rate_low, row.false_alarm_rate_high) == pytest.approx((oracle.low, oracle.high))


def test_areas_agree_with_scikit_learn(results: RunResults) -> None:
    frame = build_ranking(results).frame.set_index("target")
    for target in results.targets:
        oracle = roc_auc_score(results.test["label"].isin(target.labels), results.test[f"risk_{target.name}"])
        assert frame.loc[target.name, "roc_area"] == pytest.approx(oracle)
        assert frame.loc[target.name, "n_positive"] == results.test["label"].isin(target.labels).sum()


def test_decision_curve_agrees_with_dcurves_per_thousand_posts(results: RunResults) -> None:
    frame = build_decision_curve(results).frame
    part = frame[frame["target"] == "suicidewatch"].set_index("threshold_probability")
    data = pd.DataFrame(
        {"y": results.test["label"].eq("suicidewatch").astype(int), "model": results.test["risk_suicidewatch"]}
    )
    oracle = dca(data=data, outcome="y", modelnames=["model"], thresholds=part.index.to_numpy()).set_index("threshold")
    for model, column in (("model", "net_benefit"), ("all", "net_benefit_all"), ("none", "net_benefit_none")):
        expected = oracle.loc[oracle["model"] == model, "net_benefit"]
        assert part[column].to_numpy() == pytest.approx(1000 * expected.loc[part.index].to_numpy())


def test_the_shown_rows_of_the_decision_curve_are_the_ones_named(results: RunResults) -> None:
    section = build_decision_section(results)
    assert section is not None
    shown = section.tables[0].frame
    chosen = shown.loc[shown["target"] == "any_risk", "threshold_probability"]
    assert chosen.tolist() == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    assert shown.loc[shown["threshold_probability"] == 0.1, "posts_per_case"].tolist() == pytest.approx([9, 9])


def test_slider_rows_are_what_flagging_at_their_threshold_gives(results: RunResults) -> None:
    frame = build_other_thresholds(results).frame
    part = frame[(frame["target"] == "suicidewatch") & frame["posts"].str.startswith("1% ")]
    part = part[part["posts"].str.endswith("controls")]
    positives = results.test.loc[results.test["label"] == "suicidewatch", "risk_suicidewatch"]
    controls = results.controls["risk_suicidewatch"]
    for row in part.iloc[[0, 20, 60, -1]].itertuples():
        recall, alarms = (positives >= row.threshold).mean(), (controls >= row.threshold).mean()
        oracle = binomtest(int((positives >= row.threshold).sum()), len(positives)).proportion_ci(method="exact")
        alerts = 1000 * (0.01 * recall + 0.99 * alarms)
        assert (row.recall, row.alerts_per_1000) == pytest.approx((recall, alerts))
        assert (row.recall_low, row.recall_high) == pytest.approx((oracle.low, oracle.high))
        assert row.ppv == pytest.approx(10 * recall / alerts)
        assert row.posts_read_per_true_case == pytest.approx(alerts / (10 * recall))
        assert row.alerts_per_1000_low <= row.alerts_per_1000 <= row.alerts_per_1000_high


def test_the_slider_starts_at_the_operating_point_with_the_numbers_of_the_other_tables(results: RunResults) -> None:
    table = build_other_thresholds(results)
    slider = build_slider(table)
    assert slider is not None
    found = build_performance(results).frame.set_index("target")
    costs = build_deployment(results).frame
    assert len(slider.tables) == 2 * (1 + 2 * 3)  # targets, the split itself, two kinds of other posts at three shares
    for part in slider.tables:
        assert part.has_point
        assert len(part.table.frame) <= 200
        row = part.table.frame.iloc[part.start]
        assert row["threshold"] == results.point_by_target[part.target].threshold
        assert row["recall"] == found.loc[part.target, "recall"]
        same = costs[(costs["target"] == part.target) & np.isclose(costs["prevalence"], row["prevalence"])]
        assert np.isclose(same["alerts_per_1000"], row["alerts_per_1000"]).any()


def test_single_precision_scores_are_compared_in_single_precision(results: RunResults) -> None:
    single = dataclasses.replace(
        results, test=results.test.assign(risk_any_risk=results.test["risk_any_risk"].astype(np.float32))
    )
    frame = build_other_thresholds(single).frame
    own = frame[(frame["target"] == "any_risk") & frame["posts"].str.contains("as on the test split")]
    row = own[own["is_operating_point"]].iloc[0]
    assert row["recall"] == build_performance(single).frame.set_index("target").loc["any_risk", "recall"]
