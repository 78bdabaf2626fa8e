import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.taxonomy import RiskTarget
from screening.thresholds.fitting import fit_operating_point
from screening.thresholds.score_tolerance import lower_threshold, raise_threshold

TARGET = RiskTarget(name="t", labels=("t",), triage="refer", description="t")
PROBABILITY = st.floats(0, 1)
TOLERANCE = st.floats(1e-6, 2)


def odds(p: float) -> float:
    return p / (1 - p)


@given(st.floats(1e-6, 0.9999), TOLERANCE)
def test_lowering_divides_the_odds_by_the_exponential_of_the_tolerance(threshold, tolerance):
    # a single-precision step is at most 2**-23 of the threshold; near 1 it is 2**-24 / (1 - threshold) of the odds
    step = 2**-23 + 2**-23 / (1 - threshold)
    assert odds(lower_threshold(threshold, tolerance)) == pytest.approx(odds(threshold) / np.exp(tolerance), rel=step)
    assert odds(raise_threshold(threshold, tolerance)) == pytest.approx(
        odds(threshold) * np.exp(tolerance), rel=2 * step * np.exp(tolerance)
    )


def test_a_half_is_lowered_by_a_quarter_of_the_tolerance():
    assert lower_threshold(0.5, 1e-4) == pytest.approx(0.5 - 2.5e-5, abs=1e-7)  # a single-precision step is 3e-8


@given(PROBABILITY, TOLERANCE, st.floats(-1, 1), st.sampled_from([np.float32, np.float64]))
def test_a_post_at_the_threshold_is_flagged_wherever_its_score_moves_within_the_tolerance(
    threshold, tolerance, share, dtype
):
    with np.errstate(divide="ignore"):
        log_odds = np.log(threshold) - np.log1p(-threshold)
    moved = np.exp(-np.logaddexp(0, -(log_odds + share * tolerance * 0.999)))  # .999: rounding of this line itself
    assert dtype(moved) >= dtype(lower_threshold(threshold, tolerance))


@given(PROBABILITY, PROBABILITY, TOLERANCE)
def test_moved_thresholds_keep_their_order(one, other, tolerance):
    low, high = sorted((one, other))
    assert lower_threshold(low, tolerance) <= lower_threshold(high, tolerance) <= high
    assert low <= raise_threshold(low, tolerance) <= raise_threshold(high, tolerance)


def test_the_ends_stay_within_zero_and_one():
    assert lower_threshold(0.0, 0.2) == 0.0
    assert raise_threshold(1.0, 0.2) == 1.0
    # the largest single-precision number below 1 is 1 - 2**-24: the odds of what is missing grow by exp(tolerance)
    assert lower_threshold(1.0, 0.2) == pytest.approx(1 - 2**-24 * np.exp(0.2), abs=1e-12)
    assert 0 < raise_threshold(0.0, 0.2) < 1e-44


def test_no_tolerance_changes_nothing_whatever_the_score_is():
    assert lower_threshold(-7.25, 0) == -7.25
    assert raise_threshold(1e9, 0) == 1e9


@pytest.mark.parametrize(("threshold", "tolerance"), [(1.5, 0.1), (-0.1, 0.1), (0.5, -0.1), (0.5, float("nan"))])
def test_scores_that_are_no_probabilities_need_no_tolerance(threshold, tolerance):
    with pytest.raises(ValueError, match="tolerance of 0"):
        lower_threshold(threshold, tolerance)


def test_an_operating_point_flags_a_post_whose_score_came_out_lower_in_another_batch():
    y_score, y_true = np.linspace(0.2, 0.9, 100), np.ones(100, dtype=bool)
    promise = {"target_recall": 0.95, "confidence_level": 0.95}
    exact, tolerant = (
        fit_operating_point(TARGET, y_score, y_true, **promise, score_tolerance=tolerance) for tolerance in (0.0, 1e-4)
    )
    moved = np.array([exact.threshold - 7e-9])
    assert not exact.flag(moved)[0]
    assert tolerant.flag(moved)[0]
    assert odds(tolerant.threshold) == pytest.approx(odds(exact.threshold) * np.exp(-1e-4), rel=1e-6)
