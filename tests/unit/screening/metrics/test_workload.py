import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_curve

from screening.metrics.workload import compute_alert_rate, compute_deployment_table, compute_recall_alert_curve
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
