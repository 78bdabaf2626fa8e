import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from screening.exceptions import RecallNotReachableError
from screening.taxonomy import RiskTarget
from screening.thresholds.abstention import (
    AbstentionBand,
    compute_rate_bound,
    fit_abstention_band,
    select_upper_threshold,
)
from screening.thresholds.fitting import fit_operating_point
from screening.thresholds.recall_control import select_threshold

TARGET = RiskTarget(name="any", labels=("a",), triage="review", description="…")
RATE = {"max_false_alarm_rate": 0.05, "confidence_level": 0.95}


@given(st.integers(59, 500), st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_the_upper_threshold_mirrors_the_recall_threshold_of_negated_scores(n, seed, decimals):
    negatives = np.random.default_rng(seed).random(n).round(decimals)
    found = select_upper_threshold(negatives, **RATE)
    mirrored = select_threshold(-negatives, np.ones(n, dtype=bool), target_recall=0.95, confidence_level=0.95)
    assert found.n_allowed_alarms == mirrored.n_allowed_misses
    assert 0 < found.threshold + mirrored.threshold <= 2**-23  # just above it: a single-precision step below 1


@given(st.integers(59, 300), st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]), st.integers(0, 7))
def test_at_most_the_allowed_alarms_reach_it_in_either_precision(n, seed, dtype, decimals):
    negatives = np.random.default_rng(seed).random(n).round(decimals)
    found = select_upper_threshold(negatives.astype(dtype), **RATE)
    for precision in (np.float32, np.float64):
        n_alarms = (negatives.astype(dtype).astype(precision) >= precision(found.threshold)).sum()
        assert n_alarms <= found.n_allowed_alarms


def test_the_rank_is_the_largest_the_binomial_allows():
    found = select_upper_threshold(np.arange(400) / 400, **RATE)
    assert binom.cdf(found.n_allowed_alarms, 400, 0.05) <= 0.05 < binom.cdf(found.n_allowed_alarms + 1, 400, 0.05)
    assert found.confidence_achieved == pytest.approx(binom.sf(found.n_allowed_alarms, 400, 0.05))


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0.5, 0.99))
def test_the_bound_on_a_rate_is_scipys_clopper_pearson(n, share, confidence):
    n_found = round(share * n)
    expected = binomtest(n_found, n, alternative="less").proportion_ci(confidence, method="exact").high
    assert compute_rate_bound(n, n_found, confidence) == pytest.approx(expected, abs=1e-9)


def make_case(n_positive=200, n_negative=400, seed=0):
    rng = np.random.default_rng(seed)
    y_score = np.r_[rng.beta(4, 2, n_positive), rng.beta(2, 4, n_negative)]
    return y_score, np.arange(y_score.size) < n_positive


def test_scores_below_between_and_above_get_no_flag_abstention_and_a_flag():
    band = AbstentionBand(
        name="any", low=0.2, high=0.6, max_false_alarm_rate=0.05, confidence_level=0.95, joint_confidence_level=0.9,
        n_negative=59, n_allowed_alarms=0, false_alarm_upper_bound=0.05, confidence_achieved=0.951,
    )  # fmt: skip
    scores = np.array([0.1, np.nextafter(0.2, 0), 0.2, np.nextafter(0.6, 0), 0.6, 1.0])
    assert band.assign(scores).tolist() == ["no_flag", "no_flag", "abstain", "abstain", "flag", "flag"]


def test_a_band_starts_at_the_operating_point_and_says_the_joint_confidence():
    y_score, y_true = make_case()
    point = fit_operating_point(TARGET, y_score, y_true, target_recall=0.95, confidence_level=0.95)
    band = fit_abstention_band(point, y_score, y_true, max_false_alarm_rate=0.05)
    assert band.low == point.threshold < band.high
    assert band.joint_confidence_level == pytest.approx(0.9)
    assert (y_score[~y_true] >= band.high).sum() == band.n_allowed_alarms


def test_nothing_lies_between_where_the_recall_threshold_already_keeps_the_promise():
    y_score = np.r_[np.linspace(0.9, 1, 100), np.linspace(0, 0.1, 100)]
    y_true = np.arange(200) < 100
    point = fit_operating_point(TARGET, y_score, y_true, target_recall=0.95, confidence_level=0.95)
    band = fit_abstention_band(point, y_score, y_true, max_false_alarm_rate=0.05)
    assert band.low == band.high == point.threshold
    assert "abstain" not in band.assign(y_score)


def test_a_tolerance_raises_the_upper_threshold():
    y_score, y_true = make_case()
    point = fit_operating_point(TARGET, y_score, y_true, target_recall=0.95, confidence_level=0.95)
    exact, tolerant = (
        fit_abstention_band(point, y_score, y_true, max_false_alarm_rate=0.05, score_tolerance=tolerance).high
        for tolerance in (0.0, 0.2)
    )
    assert tolerant / (1 - tolerant) == pytest.approx(exact / (1 - exact) * np.exp(0.2), rel=1e-5)


def test_too_few_negatives_are_refused_with_how_many_are_needed():
    y_score, y_true = make_case(n_negative=58)
    point = fit_operating_point(TARGET, y_score, y_true, target_recall=0.95, confidence_level=0.95)
    with pytest.raises(RecallNotReachableError, match="needs at least 59 other calibration posts, found 58"):
        fit_abstention_band(point, y_score, y_true, max_false_alarm_rate=0.05)


@pytest.mark.parametrize("score_tolerance", [0.0, 1e-4, 0.2])
def test_a_sure_model_whose_negatives_score_one_gets_a_band_that_nothing_passes(score_tolerance):
    y_score = np.r_[np.full(60, 0.8), np.full(40, 1.0), np.linspace(0, 0.5, 60)]  # 40 of 100 negatives score 1
    y_true = np.arange(y_score.size) < 60
    point = fit_operating_point(TARGET, y_score, y_true, target_recall=0.95, confidence_level=0.95)
    band = fit_abstention_band(point, y_score, y_true, max_false_alarm_rate=0.1, score_tolerance=score_tolerance)
    assert "flag" not in band.assign(y_score)
    assert "flag" not in band.assign(y_score.astype(np.float32))
    assert (band.assign(y_score) == "abstain").sum() == 100
