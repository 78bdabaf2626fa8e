import pandas as pd
import pytest

from pipelines.audit.planning import PlanRequest, plan_period
from screening.exceptions import ConfigError

TARGET = "suicidewatch"


def test_plan_from_a_run_uses_test_recall_and_bayes_rule(run):
    request = PlanRequest(n_posts=50_000, run_folder=run, target=TARGET, prevalence=0.05, near_share=0.1)
    outlook, plan = plan_period(request)
    test = pd.read_parquet(run / "evaluation" / "test.parquet")
    flags, truth = test["risk_suicidewatch"] >= 0.45, test["label"] == TARGET
    recall, alarms = flags[truth].mean(), flags[~truth].mean()
    share = 0.05 * recall + 0.95 * alarms
    assert outlook.n_flagged == round(50_000 * share)
    assert outlook.ppv == pytest.approx(0.05 * recall / share)
    assert (plan.target_recall, plan.expected_recall) == (0.95, pytest.approx(recall))
    assert plan.n_detected == int(outlook.n_flagged * outlook.ppv)


def test_own_figures_win_over_the_run(run):
    known = {"n_flagged": 4_000, "ppv": 0.3, "target_recall": 0.9, "expected_recall": 0.97}
    request = PlanRequest(n_posts=50_000, run_folder=run, target=TARGET, prevalence=0.05, near_share=0.1, **known)
    plan = plan_period(request)[1]
    assert (plan.n_flagged, plan.n_detected, plan.target_recall, plan.expected_recall) == (4_000, 1_200, 0.9, 0.97)


def test_a_bundle_of_no_run_says_what_is_promised(tiny_bundle):
    figures = {"n_posts": 50_000, "n_flagged": 4_000, "ppv": 0.3, "near_share": 0.1}
    outlook, plan = plan_period(PlanRequest(bundle_folder=tiny_bundle, target=TARGET, **figures))
    assert outlook is None
    assert (plan.target_recall, plan.confidence_level) == (0.95, 0.95)
    with pytest.raises(ConfigError, match="--target"):
        plan_period(PlanRequest(bundle_folder=tiny_bundle, **figures))
    with pytest.raises(ConfigError, match="either --run or --bundle"):
        plan_period(PlanRequest(bundle_folder=tiny_bundle, run_folder=tiny_bundle, target=TARGET, **figures))
    with pytest.raises(ConfigError, match="expected --flagged and --ppv"):
        plan_period(
            PlanRequest(n_posts=50_000, bundle_folder=tiny_bundle, target=TARGET, prevalence=0.1, near_share=0.1)
        )


def test_too_little_to_plan_from_is_refused(run):
    with pytest.raises(ConfigError, match="expected --flagged and --ppv"):
        plan_period(PlanRequest(n_posts=1_000, near_share=0.1))
    with pytest.raises(ConfigError, match="prevalence in"):
        plan_period(PlanRequest(n_posts=1_000, run_folder=run, target=TARGET, prevalence=1.5, near_share=0.1))
    with pytest.raises(ConfigError, match="n_flagged < n_posts"):
        plan_period(PlanRequest(n_posts=1_000, n_flagged=1_000, ppv=0.5, near_share=0.1))


@pytest.mark.parametrize("name", ["ppv", "target_recall", "confidence_level", "expected_recall"])
def test_a_zero_is_refused_and_not_taken_for_nothing_said(run, name):
    figures = {"n_flagged": 2_000, "ppv": 0.05} | {name: 0.0}
    with pytest.raises(ConfigError, match="expected 0 < n_flagged"):
        plan_period(PlanRequest(n_posts=10_000, near_share=0.1, **figures))
