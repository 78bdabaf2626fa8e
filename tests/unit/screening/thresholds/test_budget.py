import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from screening.config import CalibrationConfig
from screening.exceptions import RecallNotReachableError
from screening.taxonomy import RiskTarget
from screening.thresholds.abstention import select_upper_threshold
from screening.thresholds.budget import BudgetAssessment, assess_budget
from screening.thresholds.fitting import fit_operating_point
from screening.thresholds.promises import fit_promises, require_budget
from screening.thresholds.scope import build_scope

TARGET = RiskTarget(name="any", labels=("a",), triage="review", description="…")
PROMISE = {"target_recall": 0.95, "confidence_level": 0.95}


def make_case(seed=0, n_positive=200, n_negative=2_000, shift=2.0):
    rng = np.random.default_rng(seed)
    log_odds = np.r_[rng.normal(shift, 1, n_positive), rng.normal(0, 1, n_negative)]
    return 1 / (1 + np.exp(-log_odds)), np.arange(log_odds.size) < n_positive


def assess(y_score, y_true, budget, prevalence=0.01, **more):
    point = fit_operating_point(TARGET, y_score, y_true, **PROMISE)
    return point, assess_budget(point, y_score, y_true, max_alerts_per_1000=budget, prevalence=prevalence, **more)


def test_the_bound_is_prevalence_plus_the_exact_bound_on_false_alarms():
    y_score, y_true = make_case()
    point, found = assess(y_score, y_true, budget=100)
    n_alarms = int((y_score[~y_true] >= point.threshold).sum())
    rate = binomtest(n_alarms, 2_000, alternative="less").proportion_ci(0.95, method="exact").high
    assert found.n_false_alarms == n_alarms
    assert found.alerts_upper_bound == pytest.approx(1_000 * (0.01 + 0.99 * rate))
    assert not found.fits
    assert found.excess_per_1000 == pytest.approx(found.alerts_upper_bound - 100)


def test_by_hand_no_false_alarm_among_59_negatives_leaves_fifty_alerts_at_most():
    # positives at 1, negatives at 0: bound 1 - .05 ** (1 / 59) = .04951 of the 999 other posts, plus 1
    y_score = np.r_[np.ones(59), np.zeros(59)]
    _, found = assess(y_score, np.arange(118) < 59, budget=51, prevalence=0.001)
    assert found.alerts_upper_bound == pytest.approx(1 + 999 * (1 - 0.05 ** (1 / 59)))
    assert found.fits
    assert found.recall_within_budget == pytest.approx(0.05 ** (1 / 59))


@given(st.integers(0, 10_000), st.floats(15, 900), st.floats(0.001, 0.01))
def test_it_fits_exactly_where_the_recall_threshold_reaches_the_budgets_own(seed, budget, prevalence):
    """The claim in the notes: the decision depends on a threshold that the negatives alone decide."""
    y_score, y_true = make_case(seed, n_negative=500)
    point, found = assess(y_score, y_true, budget, prevalence)
    max_rate = (budget / 1_000 - prevalence) / (1 - prevalence)
    lowest = select_upper_threshold(y_score[~y_true], max_false_alarm_rate=max_rate, confidence_level=0.95)
    # no negative lies between the two thresholds where they decide alike
    n_allowed = -1 if lowest is None else lowest.n_allowed_alarms
    assert found.fits == ((y_score[~y_true] >= point.threshold).sum() <= n_allowed)


def test_the_recall_a_budget_allows_is_reached_when_asked_for():
    y_score, y_true = make_case()
    _, found = assess(y_score, y_true, budget=100)
    assert found.recall_within_budget is not None
    for recall, fits in ((found.recall_within_budget - 1e-9, True), (found.recall_within_budget + 0.03, False)):
        point = fit_operating_point(TARGET, y_score, y_true, target_recall=recall, confidence_level=0.95)
        again = assess_budget(point, y_score, y_true, max_alerts_per_1000=100, prevalence=0.01)
        assert again.fits == fits


def test_a_budget_below_the_prevalence_leaves_no_threshold():
    _, found = assess(*make_case(), budget=9, prevalence=0.01)
    assert not found.fits
    assert found.recall_within_budget is None
    assert "no threshold keeps the budget" in str(found)


def test_more_targets_share_the_confidence_of_the_bound():
    y_score, y_true = make_case()
    _, one = assess(y_score, y_true, budget=100)
    _, two = assess(y_score, y_true, budget=100, n_promises=2)
    n_alarms = one.n_false_alarms
    rate = binomtest(n_alarms, 2_000, alternative="less").proportion_ci(0.975, method="exact").high
    assert two.alerts_upper_bound == pytest.approx(1_000 * (0.01 + 0.99 * rate))
    assert (two.confidence_level, two.joint_confidence_level) == (0.95, pytest.approx(0.9))


def test_negatives_are_counted_by_author_where_authors_are_drawn():
    y_score, y_true = make_case()
    posts = pd.DataFrame({"author_id": [f"a{i % 300}" for i in range(2_200)]})
    scope = build_scope(posts, unit="author", rng=np.random.default_rng(0))
    point = fit_operating_point(TARGET, y_score, y_true, **PROMISE, scope=scope)
    found = assess_budget(point, y_score, y_true, max_alerts_per_1000=500, prevalence=0.01, scope=scope)
    assert (found.unit, found.n_negative) == ("author", 300)


def fit(budget, **config):
    y_score, y_true = make_case()
    asked = CalibrationConfig(max_alerts_per_1000=budget, budget_prevalence=0.01, **config)
    return fit_promises([TARGET], {"any": y_score}, np.where(y_true, "a", "b"), asked)


def test_a_refusal_says_that_the_budget_fails_by_how_much_and_what_would_fit():
    promises = fit(300, other_recalls=(0.7,))
    assert [budget.fits for budget in promises.budgets] == [False]
    assert [budget.fits for budget in promises.alternative_budgets] == [True]
    found = promises.budgets[0]
    with pytest.raises(RecallNotReachableError) as caught:
        require_budget(promises)
    message = str(caught.value)
    assert f"recall 0.95 is reached, the alert budget fails by {found.excess_per_1000:.0f} " in message
    assert f"the budget leaves a recall of {found.recall_within_budget:.3f}" in message
    assert "of the other recalls, these stay within the budget: any at recall 0.7" in message
    assert "target_recall or another model is another try" in message
    assert "both together hold with 0.9, not 0.95" in message


def test_a_budget_that_fits_is_no_refusal():
    promises = fit(900)
    require_budget(promises)
    assert "recall 0.95 and the alert budget hold together" in str(promises.budgets[0])


def test_nothing_is_assessed_without_a_budget_nor_a_band_without_a_rate():
    y_score, y_true = make_case()
    labels = np.where(y_true, "a", "b")
    plain = fit_promises([TARGET], {"any": y_score}, labels, CalibrationConfig())
    assert (plain.budgets, plain.alternative_budgets, plain.bands) == ((), (), ())
    banded = fit_promises([TARGET], {"any": y_score}, labels, CalibrationConfig(abstention_false_alarm_rate=0.01))
    assert [band.max_false_alarm_rate for band in banded.bands] == [0.01]
    assert banded.bands[0].low == banded.operating_points[0].threshold


def test_an_assessment_cannot_contradict_itself():
    _, found = assess(*make_case(), budget=100)
    with pytest.raises(ValueError, match="excess exactly where the budget fails"):
        BudgetAssessment.model_validate(found.model_dump() | {"fits": True})
