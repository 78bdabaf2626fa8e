import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from screening.metrics.calibration_slope import SMALLEST_PROBABILITY, compute_calibration_slope


def simulate(n, seed, *, slope=1.0, intercept=0.0):
    """Make probabilities, and events that happen with log-odds ``intercept + slope * log-odds``."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-1, 2, n)
    return rng.random(n) < expit(intercept + slope * log_odds), expit(log_odds)


def fit_by_statsmodels(y_true, y_prob):
    x = logit(y_prob)
    binomial = sm.families.Binomial()
    slope = sm.GLM(y_true.astype(float), sm.add_constant(x), family=binomial).fit(tol=1e-12)
    shift = sm.GLM(y_true.astype(float), np.ones_like(x), family=binomial, offset=x).fit(tol=1e-12)
    return (slope.params[1], *slope.conf_int()[1]), (shift.params[0], *shift.conf_int()[0])


def spread(estimate):
    return estimate.value, estimate.interval.low, estimate.interval.high


@pytest.mark.parametrize(
    ("n", "slope", "intercept"), [(300, 1, 0), (300, 0.4, 0.5), (5_000, 2.5, -1), (80, 0, 0), (200, -1, 3)]
)
def test_slope_and_intercept_agree_with_statsmodels(n, slope, intercept):
    y_true, y_prob = simulate(n, n, slope=slope, intercept=intercept)
    found = compute_calibration_slope(y_true, y_prob, split="test")
    oracle_slope, oracle_intercept = fit_by_statsmodels(y_true, y_prob)
    assert spread(found.slope) == pytest.approx(oracle_slope, rel=1e-6, abs=1e-6)
    assert spread(found.intercept) == pytest.approx(oracle_intercept, rel=1e-6, abs=1e-6)
    assert (found.slope.n_samples, found.slope.split) == (n, "test")


@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(0.1, 12))
def test_a_slope_exists_exactly_where_no_cut_separates_the_outcomes(seed, n, spread_of_scores):
    rng = np.random.default_rng(seed)
    y_true = rng.random(n) < 0.5
    y_prob = expit(rng.normal(0, spread_of_scores, n)).clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    found = compute_calibration_slope(y_true, y_prob, split="test")
    events, others = y_prob[y_true], y_prob[~y_true]
    is_separated = not events.size or not others.size or events.min() >= others.max() or others.min() >= events.max()
    assert (found.slope.value is None) == is_separated
    assert (found.intercept.value is None) == (not events.size or not others.size)


def test_over_confident_probabilities_have_a_slope_below_one():
    y_true, y_prob = simulate(20_000, 1, slope=0.5)
    found = compute_calibration_slope(y_true, y_prob, split="test")
    assert found.slope.interval.low < 0.5 < found.slope.interval.high < 1


def test_probabilities_twice_too_high_in_odds_have_the_log_of_a_half_as_intercept():
    y_true, y_prob = simulate(50_000, 2, intercept=np.log(0.5))
    found = compute_calibration_slope(y_true, y_prob, split="test")
    assert found.intercept.interval.low < np.log(0.5) < found.intercept.interval.high
    assert found.intercept.value == pytest.approx(np.log(0.5), abs=0.05)  # four standard errors


def test_three_in_four_at_even_odds_by_hand():
    found = compute_calibration_slope([1, 1, 1, 0], [0.5] * 4, split="test")
    assert found.intercept.value == pytest.approx(np.log(3))
    # Information: 4 * 3/4 * 1/4.
    assert found.intercept.interval.high == pytest.approx(np.log(3) + 1.959964 / np.sqrt(0.75), abs=1e-5)


def test_two_probabilities_by_hand():
    # Stated .2 and .8 (log-odds -+ log 4); observed 1/4 and 3/4 (log-odds -+ log 3): slope log 3 / log 4, shift 0.
    found = compute_calibration_slope([1, 0, 0, 0, 1, 1, 1, 0], [0.2] * 4 + [0.8] * 4, split="test")
    assert found.slope.value == pytest.approx(np.log(3) / np.log(4))
    assert found.intercept.value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("y_true", [[], [1, 1, 1], [0, 0, 0]])
def test_nothing_to_compare_leaves_both_undefined(y_true):
    found = compute_calibration_slope(y_true, [0.3, 0.5, 0.9][: len(y_true)], split="test")
    assert found.slope.value is None
    assert found.intercept.value is None
    assert found.slope.n_samples == len(y_true)


def test_separated_outcomes_have_an_intercept_and_no_slope():
    found = compute_calibration_slope([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.7], split="test")
    assert found.slope.value is None
    assert found.intercept.value is not None
    touching = compute_calibration_slope([0, 0, 1, 1], [0.1, 0.2, 0.2, 0.7], split="test")
    assert touching.slope.value is None


def test_probabilities_of_exactly_zero_and_one_give_finite_numbers():
    y_true = [0, 1, 1, 0] * 10
    found = compute_calibration_slope(y_true, [0.0, 1.0, 0.0, 0.5] * 10, split="test")
    assert np.isfinite(spread(found.slope)).all()
    assert np.isfinite(spread(found.intercept)).all()


@pytest.mark.statistical
def test_intervals_cover_nearly_as_often_as_they_say():
    kept = np.zeros(2)
    for seed in range(1_000):
        found = compute_calibration_slope(*simulate(400, seed), split="test")
        kept += [found.slope.interval.low <= 1 <= found.slope.interval.high,
                 found.intercept.interval.low <= 0 <= found.intercept.interval.high]  # fmt: skip
    assert (kept / 1_000 > 0.93).all()  # three standard errors below .95
