import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from screening.thresholds.planner import compute_expected_recall, estimate_alerts, plan_positives
from screening.thresholds.recall_control import compute_allowed_misses, compute_required_positives


@given(st.floats(0.5, 0.98), st.floats(0.5, 0.98))
def test_each_row_is_the_fewest_positives_that_allow_its_misses(target, confidence):
    promise = {"target_recall": target, "confidence_level": confidence}
    plan = plan_positives(target, confidence)
    assert plan["n_positive"].iloc[0] == compute_required_positives(target, confidence)
    assert plan["n_allowed_misses"].tolist() == [0, 1, 2, 3, 5, 8, 13, 21, 34, 89, 233]
    for n, misses in zip(plan["n_positive"], plan["n_allowed_misses"], strict=True):
        assert compute_allowed_misses(n, **promise) == misses
        fewer = compute_allowed_misses(n - 1, **promise) if n > 1 else None
        assert fewer is None or fewer < misses


def test_recall_at_the_threshold_is_beta_distributed_as_scipy_has_it():
    row = plan_positives(0.95, 0.95, [400]).iloc[0]
    assert row["n_allowed_misses"] == 12
    assert row["expected_recall"] == pytest.approx(beta(388, 13).mean())
    assert (row["recall_low"], row["recall_high"]) == pytest.approx(beta(388, 13).ppf([0.05, 0.95]))
    assert row["confidence_achieved"] == pytest.approx(beta(388, 13).sf(0.95))


def test_expected_recall_is_what_repeated_calibrations_find():
    rng = np.random.default_rng(0)
    recalls = 1 - np.partition(rng.random((20_000, 59)), 0, axis=1)[:, 0]  # uniform scores: recall is 1 - threshold
    assert recalls.mean() == pytest.approx(compute_expected_recall(59, 0), abs=0.0004)  # 3.5 standard errors


def test_numbers_too_small_for_the_promise_are_left_out():
    assert plan_positives(0.95, 0.95, [10, 58, 59])["n_positive"].tolist() == [59]


def test_more_positives_cost_fewer_alerts():
    rng = np.random.default_rng(1)
    y_score = np.r_[rng.normal(1.5, 1, 300), rng.normal(0, 1, 2_000)]
    y_true = np.arange(2_300) < 300
    plan = plan_positives(0.95, 0.95)
    alerts = [
        estimate_alerts(
            y_score, y_true, n_positive=row.n_positive, n_allowed_misses=row.n_allowed_misses, prevalence=0.01
        )
        for row in plan.itertuples()
    ]
    assert alerts == sorted(alerts, reverse=True)


@pytest.mark.parametrize(("n", "misses"), [(59, 0), (124, 2)])
def test_expected_alerts_are_the_mean_over_resampled_calibrations(n, misses):
    rng = np.random.default_rng(2)
    found, others = rng.normal(1.5, 1, 150).round(1), rng.normal(0, 1, 1_000).round(1)
    y_score, y_true = np.r_[found, others], np.arange(1_150) < 150
    expected = estimate_alerts(y_score, y_true, n_positive=n, n_allowed_misses=misses, prevalence=0.05)
    draws = np.sort(rng.choice(found, (4_000, n)), axis=1)[:, misses]
    simulated = 50 * (found >= draws[:, None]).mean(axis=1) + 950 * (others >= draws[:, None]).mean(axis=1)
    assert expected == pytest.approx(simulated.mean(), abs=4 * simulated.std() / 4_000**0.5)


def test_alerts_are_unknown_without_positives_or_negatives():
    ask = {"n_positive": 59, "n_allowed_misses": 0, "prevalence": 0.01}
    assert np.isnan(estimate_alerts(np.zeros(3), np.ones(3, dtype=bool), **ask))
    assert np.isnan(estimate_alerts(np.zeros(3), np.zeros(3, dtype=bool), **ask))
