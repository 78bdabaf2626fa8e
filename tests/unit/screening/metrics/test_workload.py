import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_curve, roc_curve

from screening.metrics.workload import (
    compute_alert_rate,
    compute_deployment_table,
    compute_recall_alert_curve,
    compute_workload,
)
from screening.types import Interval

RATE = st.floats(0.01, 0.99)
QUANTITIES = ("ppv", "npv", "alerts_per_1000", "posts_read_per_true_case", "missed_per_1000", "reviewer_hours_per_1000")


def test_curve_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    y_true = rng.random(200) < 0.3
    y_score = rng.normal(y_true).round(1)
    curve = compute_recall_alert_curve(y_true, y_score, split="test")
    precision, recall, thresholds = precision_recall_curve(y_true, y_score)
    np.testing.assert_allclose(curve["threshold"], thresholds[::-1])
    np.testing.assert_allclose(curve["value"], recall[:-1][::-1])
    np.testing.assert_allclose(curve["precision"], precision[:-1][::-1])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=60))
def test_recall_and_false_alarms_agree_with_the_roc_of_scikit_learn(posts):
    y_true, y_score = np.array([p for p, _ in posts]), np.array([s for _, s in posts]) / 20
    curve = compute_recall_alert_curve(y_true, y_score, split="test")
    assert curve["value"].isna().all() == (not y_true.any())
    assert curve["false_alarm_rate"].isna().all() == y_true.all()
    if 0 < y_true.sum() < y_true.size:
        false_alarms, recall, _ = roc_curve(y_true, y_score, drop_intermediate=False)
        np.testing.assert_allclose(curve["value"], recall[1:])  # scikit-learn starts where nothing is flagged
        np.testing.assert_allclose(curve["false_alarm_rate"], false_alarms[1:])


def test_a_thinned_curve_holds_rows_of_the_whole_one_with_both_ends():
    rng = np.random.default_rng(2)
    y_true, y_score = rng.random(500) < 0.2, rng.random(500)
    whole = compute_recall_alert_curve(y_true, y_score, split="test")
    thin = compute_recall_alert_curve(y_true, y_score, split="test", n_rows=7)
    assert thin["n_flagged"].tolist() == [1, 84, 167, 251, 334, 417, 500]  # 499 steps by sixths
    assert thin.to_dict("records") == whole[whole["n_flagged"].isin(thin["n_flagged"])].to_dict("records")


def test_false_alarm_bounds_are_exact():
    curve = compute_recall_alert_curve([1, 0, 0, 0, 0], np.array([0.9, 0.8, 0.3, 0.2, 0.1]), split="test")
    oracle = binomtest(1, 4).proportion_ci(method="exact")
    row = curve.iloc[1]
    assert (row["false_alarm_rate_low"], row["false_alarm_rate_high"]) == pytest.approx((oracle.low, oracle.high))
    assert row["false_alarm_rate_n"] == 4


def test_workload_of_many_thresholds_is_the_table_of_each():
    recall, alarms = np.array([0.2, 0.9, 0.99]), np.array([0.01, 0.1, 0.6])
    bounds = ((recall - 0.01, recall + 0.005), (alarms / 2, alarms * 1.5))
    many = compute_workload(recall, alarms, 0.02, 3.0, bounds=bounds)
    for i in range(3):
        one = compute_deployment_table(
            recall[i], alarms[i], [0.02], 3.0,
            recall_interval=Interval(low=recall[i] - 0.01, high=recall[i] + 0.005),
            false_alarm_interval=Interval(low=alarms[i] / 2, high=alarms[i] * 1.5),
        ).iloc[0]  # fmt: skip
        assert {name: values[i] for name, values in many.items()} == pytest.approx(one.drop("prevalence").to_dict())


def test_curve_rises_to_all_posts_flagged():
    rng = np.random.default_rng(1)
    curve = compute_recall_alert_curve(rng.random(50) < 0.5, rng.random(50), split="test")
    assert (curve[["value", "alerts_per_1000"]].diff().dropna() >= 0).all(axis=None)
    assert curve[["value", "alerts_per_1000"]].iloc[-1].tolist() == [1, 1_000]
    assert ((curve["low"] <= curve["value"]) & (curve["value"] <= curve["high"])).all()


def test_curve_of_four_posts_by_hand():
    curve = compute_recall_alert_curve([1, 0, 1, 0], np.array([0.9, 0.8, 0.8, 0.1]), split="calibration")
    assert curve["threshold"].tolist() == [0.9, 0.8, 0.1]
    assert curve["value"].tolist() == [0.5, 1, 1]
    assert curve["alerts_per_1000"].tolist() == [250, 750, 1_000]
    assert curve["precision"].tolist() == pytest.approx([1, 2 / 3, 1 / 2])
    assert (curve["n"] == 2).all()
    assert (curve["n_samples"] == 4).all()


def test_curve_without_positives_has_no_recall_and_without_posts_no_rows():
    assert compute_recall_alert_curve([0, 0], np.array([0.1, 0.2]), split="test")["value"].isna().all()
    assert compute_recall_alert_curve([], np.array([]), split="test").empty


def test_alert_rate_is_per_thousand_with_the_exact_interval():
    found = compute_alert_rate(np.arange(40) < 3, split="test")
    oracle = binomtest(3, 40).proportion_ci(method="exact")
    assert found.value == 75
    assert (found.interval.low, found.interval.high) == pytest.approx((1_000 * oracle.low, 1_000 * oracle.high))
    assert (found.n_samples, found.split) == (40, "test")
    assert compute_alert_rate([], split="test").value is None


def test_deployment_by_hand():
    # 1,000 posts, 10 positive: 9 flagged, 1 missed; 99 of 990 others flagged.
    row = compute_deployment_table(0.9, 0.1, [0.01], 2.0).iloc[0]
    assert row["alerts_per_1000"] == pytest.approx(108)
    assert row["ppv"] == pytest.approx(9 / 108)
    assert row["npv"] == pytest.approx(891 / 892)
    assert row["posts_read_per_true_case"] == pytest.approx(12)
    assert row["missed_per_1000"] == pytest.approx(1)
    assert row["reviewer_hours_per_1000"] == pytest.approx(3.6)


@given(RATE, RATE, RATE)
def test_deployment_agrees_with_counting_a_large_population(recall, false_alarm_rate, prevalence):
    n = 10**6
    positives, others = n * prevalence, n * (1 - prevalence)
    hits, alarms = positives * recall, others * false_alarm_rate
    row = compute_deployment_table(recall, false_alarm_rate, [prevalence], 3.0).iloc[0]
    assert row["ppv"] == pytest.approx(hits / (hits + alarms))
    assert row["npv"] == pytest.approx((others - alarms) / (n - hits - alarms))
    assert row["posts_read_per_true_case"] == pytest.approx((hits + alarms) / hits)
    assert row["alerts_per_1000"] == pytest.approx((hits + alarms) / 1_000)
    assert row["missed_per_1000"] == pytest.approx((positives - hits) / 1_000)
    assert row["reviewer_hours_per_1000"] == pytest.approx(row["alerts_per_1000"] / 20)


@given(RATE, RATE, RATE, st.floats(0, 1), st.floats(0, 1))
def test_bounds_hold_for_every_rate_in_the_intervals(recall, false_alarm_rate, prevalence, first, second):
    recalls = Interval(low=recall / 2, high=(1 + recall) / 2)
    alarms = Interval(low=false_alarm_rate / 2, high=(1 + false_alarm_rate) / 2)
    table = compute_deployment_table(
        recall, false_alarm_rate, [prevalence], 2.0, recall_interval=recalls, false_alarm_interval=alarms
    ).iloc[0]
    inside = compute_deployment_table(
        recalls.low + first * (recalls.high - recalls.low),
        min(alarms.low + second * (alarms.high - alarms.low), 1.0),
        [prevalence],
        2.0,
    ).iloc[0]
    for name in QUANTITIES:
        slack = 1e-9 * abs(inside[name])
        assert table[f"{name}_low"] - slack <= inside[name] <= table[f"{name}_high"] + slack


def test_ppv_approaches_zero_and_npv_one_as_positives_get_rare():
    row = compute_deployment_table(0.95, 0.2, [1e-9], 2.0).iloc[0]
    assert row["ppv"] < 1e-8
    assert row["npv"] > 1 - 1e-8


def test_nothing_flagged_has_no_ppv_and_everything_flagged_no_npv():
    nothing, everything = (compute_deployment_table(rate, rate, [0.1], 2.0).iloc[0] for rate in (0.0, 1.0))
    assert np.isnan(nothing["ppv"])
    assert np.isnan(nothing["posts_read_per_true_case"])
    assert nothing["npv"] == pytest.approx(0.9)
    assert np.isnan(everything["npv"])
    assert np.isinf(compute_deployment_table(0.0, 0.5, [0.1], 2.0).iloc[0]["posts_read_per_true_case"])


def test_no_false_alarm_seen_still_gives_bounds():
    table = compute_deployment_table(
        0.5, 0.0, [0.1], 2.0, recall_interval=Interval(low=0, high=1), false_alarm_interval=Interval(low=0, high=0.1)
    )
    assert table[["ppv_low", "ppv_high"]].iloc[0].tolist() == [0, 1]


IMPOSSIBLE = [
    (1.1, 0.1, [0.1], 2),
    (0.9, -0.1, [0.1], 2),
    (0.9, 0.1, [0], 2),
    (0.9, 0.1, [1], 2),
    (0.9, 0.1, [0.1], 0),
    (np.nan, 0.1, [0.1], 2),
]


@pytest.mark.parametrize("arguments", IMPOSSIBLE)
def test_impossible_deployments_are_refused(arguments):
    with pytest.raises(ValueError, match="prevalences in"):
        compute_deployment_table(*arguments)
