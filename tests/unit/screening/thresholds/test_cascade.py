"""The first stage's threshold, the score of both stages, and the refusal where the first loses too much."""

import numpy as np
import pytest

from screening.config import CalibrationConfig
from screening.exceptions import RecallNotReachableError, SchemaError
from screening.taxonomy import load_taxonomy
from screening.thresholds.cascade import (
    choose_gate_threshold,
    combine_risks,
    compute_cascade_curve,
    count_losses,
    require_read_posts,
)
from screening.thresholds.promises import fit_promises

TARGETS = load_taxonomy("mh5").targets
RNG = np.random.default_rng(0)
LABELS = np.array(["suicidewatch"] * 100 + ["anxiety"] * 300 + ["offmychest"] * 200, dtype=object)
GATE = RNG.normal(np.where(LABELS == "offmychest", -1.0, 2.0), 1.0)
RISKS = {target.name: RNG.uniform(0.2, 1.0, len(LABELS)) for target in TARGETS}


def choose(lost: float, highest: float = 9.0) -> float:
    chosen = choose_gate_threshold(GATE, LABELS, TARGETS, max_lost_fraction=lost, highest=highest)
    return chosen.threshold


@pytest.mark.parametrize("lost", [0.0, 0.01, 0.05])
def test_the_threshold_loses_as_many_as_allowed_of_no_target_and_one_more_of_some(lost: float) -> None:
    threshold = choose(lost)
    allowed = {"suicidewatch": int(100 * lost), "any_risk": int(400 * lost)}
    found = {loss.name: loss.n_cleared for loss in count_losses(threshold <= GATE, LABELS, TARGETS)}
    assert all(found[name] <= allowed[name] for name in allowed)
    above = count_losses(threshold + 2e-9 < GATE, LABELS, TARGETS)
    assert any(loss.n_cleared > allowed[loss.name] for loss in above)


def test_the_threshold_never_lies_above_the_score_of_unknown_words() -> None:
    assert choose(0.05, highest=-5.0) <= -5.0


def test_a_target_without_posts_is_refused_by_name() -> None:
    with pytest.raises(SchemaError, match="found none of suicidewatch"):
        choose_gate_threshold(GATE[100:], LABELS[100:], TARGETS, max_lost_fraction=0.0, highest=0.0)


def test_cleared_posts_score_zero_whatever_the_encoder_says_or_does_not_say() -> None:
    is_read = np.array([True, False, False])
    combined = combine_risks({"a": np.array([0.3, 0.9, np.nan])}, is_read)
    assert combined["a"].tolist() == [0.3, 0.0, 0.0]


def fit(is_read: np.ndarray, **settings: object) -> object:
    config = CalibrationConfig.model_validate(settings)
    return fit_promises(TARGETS, combine_risks(RISKS, is_read), LABELS, config, score_tolerance=0.1)


def test_misses_of_the_first_stage_count_among_the_allowed_ones() -> None:
    is_read = np.ones(len(LABELS), dtype=bool)
    is_read[0] = False
    alone, both = fit(np.ones_like(is_read)), fit(is_read)
    assert both.operating_points[0].n_allowed_misses == alone.operating_points[0].n_allowed_misses == 1
    lowest = np.sort(RISKS["suicidewatch"][1:100])[0]
    assert both.operating_points[0].threshold < lowest  # the one allowed miss is spent
    require_read_posts(both.operating_points, count_losses(is_read, LABELS, TARGETS))


def test_a_first_stage_that_spends_more_than_the_allowed_misses_is_refused_with_counts() -> None:
    is_read = np.ones(len(LABELS), dtype=bool)
    is_read[:3] = False
    points = fit(is_read).operating_points
    with pytest.raises(
        RecallNotReachableError, match=r"'suicidewatch': the first stage clears 3 of 100 .* miss 1 of 100"
    ):
        require_read_posts(points, count_losses(is_read, LABELS, TARGETS))


def test_a_refusal_says_what_a_second_try_on_the_same_calibration_posts_costs() -> None:
    is_read = np.ones(len(LABELS), dtype=bool)
    is_read[:3] = False
    points = fit(is_read, confidence_level=0.9).operating_points
    with pytest.raises(RecallNotReachableError) as caught:
        require_read_posts(points, count_losses(is_read, LABELS, TARGETS))
    advice = str(caught.value)
    assert "cascade.is_on false is another try" in advice
    assert "both together hold with 0.8, not 0.9" in advice
    assert "make both at calibration.confidence_level 0.95" in advice


def test_the_line_about_a_gate_threshold_says_that_its_posts_are_training_and_validation_posts() -> None:
    chosen = choose_gate_threshold(GATE, LABELS, TARGETS, max_lost_fraction=0.05, highest=9.0)
    assert "clears of training and validation posts, each held out: " in str(chosen)


def test_budgets_and_bands_take_cleared_posts_as_unflagged() -> None:
    is_read = LABELS != "offmychest"
    settings = {"max_alerts_per_1000": 500, "budget_prevalence": 0.1, "abstention_false_alarm_rate": 0.2}
    promises = fit(is_read, **settings)
    any_risk = promises.budgets[1]
    assert (any_risk.n_negative, any_risk.n_false_alarms) == (200, 0)
    assert promises.bands[1].low == promises.bands[1].high  # no negative reaches the lower threshold


def test_the_curve_rises_and_its_shares_are_counts_below_the_threshold() -> None:
    harmless = RNG.normal(-1, 1, 500)
    curve = compute_cascade_curve(GATE, LABELS, harmless, TARGETS)
    assert len(curve) == 400
    for name in ("lost_suicidewatch", "lost_any_risk", "cleared"):
        assert curve[name].is_monotonic_increasing
    row = curve.iloc[25]
    assert row["lost_any_risk"] == pytest.approx(25 / 400)
    assert row["lost_suicidewatch"] == pytest.approx((GATE[:100] < row["threshold"]).mean())
    assert row["cleared"] == pytest.approx((harmless < row["threshold"]).mean())
