import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from screening.exceptions import RecallNotReachableError
from screening.taxonomy import RiskTarget
from screening.thresholds.fitting import fit_operating_point
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.recall_control import (
    compute_allowed_misses,
    compute_confidence,
    compute_required_positives,
    select_threshold,
)

TARGET = RiskTarget(name="any_risk", labels=("depression", "anxiety"), triage="review", description="…")
PROMISE = {"target_recall": 0.95, "confidence_level": 0.95}
FRACTION = st.floats(0.01, 0.99)


@pytest.mark.parametrize(
    ("target", "confidence", "n"), [(0.95, 0.95, 59), (0.99, 0.95, 299), (0.9, 0.9, 22), (0.5, 0.5, 1)]
)
def test_required_positives_match_published_and_hand_worked_numbers(target, confidence, n):
    assert compute_required_positives(target, confidence) == n


@given(FRACTION, FRACTION)
def test_required_positives_are_the_fewest_for_which_a_rank_exists(target, confidence):
    n = compute_required_positives(target, confidence)
    assert compute_allowed_misses(n, target_recall=target, confidence_level=confidence) is not None
    assert n == 1 or compute_allowed_misses(n - 1, target_recall=target, confidence_level=confidence) is None


@given(st.integers(1, 5_000), FRACTION, FRACTION)
def test_rank_is_the_largest_one_allowed_by_an_independent_binomial(n, target, confidence):
    rank = compute_allowed_misses(n, target_recall=target, confidence_level=confidence)
    allowed = np.flatnonzero(binom.sf(np.arange(n), n, 1 - target) >= confidence)
    edge = np.abs(binom.sf(np.arange(n), n, 1 - target) - confidence).min()
    assume(edge > 1e-9)  # two correct implementations may round an exact tie differently
    assert rank == (allowed[-1] if allowed.size else None)


def test_rank_of_three_positives_by_hand():
    # P(Binomial(3, .5) > 0) = 7/8, P(> 1) = 1/2: at confidence 7/8 one may miss none, at 1/2 one.
    assert compute_allowed_misses(3, target_recall=0.5, confidence_level=0.875) == 0
    assert compute_allowed_misses(3, target_recall=0.5, confidence_level=0.5) == 1
    assert compute_allowed_misses(3, target_recall=0.5, confidence_level=0.88) is None


def test_allowed_misses_approach_the_target_as_positives_grow():
    n = 10**8
    rank = compute_allowed_misses(n, **PROMISE)
    assert rank is not None
    assert 0.0499 < rank / n < 0.05


@given(st.integers(59, 300), st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_threshold_is_the_order_statistic_of_the_positives(n_positive, seed, decimals):
    rng = np.random.default_rng(seed)
    y_true = rng.permutation(np.r_[np.ones(n_positive, dtype=bool), np.zeros(50, dtype=bool)])
    y_score = rng.random(y_true.size).round(decimals)
    found = select_threshold(y_score, y_true, **PROMISE)
    assert found.threshold == np.partition(y_score[y_true], found.n_allowed_misses)[found.n_allowed_misses]
    assert (y_score[y_true] < found.threshold).sum() <= found.n_allowed_misses
    assert (found.n_samples, found.n_positive) == (y_true.size, n_positive)


def test_threshold_does_not_depend_on_the_negatives():
    rng = np.random.default_rng(0)
    positives = rng.random(100)
    few = select_threshold(positives, np.ones(100, dtype=bool), **PROMISE)
    y_score = np.r_[positives, rng.random(10_000)]
    many = select_threshold(y_score, np.r_[np.ones(100, dtype=int), np.zeros(10_000, dtype=int)], **PROMISE)
    assert many.model_dump(exclude={"n_samples"}) == few.model_dump(exclude={"n_samples"})


@given(st.integers(59, 2_000))
def test_recall_bound_equals_a_clopper_pearson_bound_from_scipy(n_positive):
    found = select_threshold(np.linspace(0, 1, n_positive), np.ones(n_positive, dtype=bool), **PROMISE)
    test = binomtest(n_positive - found.n_allowed_misses, n_positive, alternative="greater")
    assert found.recall_lower_bound == pytest.approx(test.proportion_ci(0.95, method="exact").low, rel=1e-9)
    assert found.recall_lower_bound >= 0.95
    assert found.confidence_achieved == pytest.approx(binom.sf(found.n_allowed_misses, n_positive, 0.05))


@given(st.integers(1, 400), FRACTION, st.integers(1, 20))
def test_ties_only_make_the_promise_safer(n_positive, target, n_levels):
    """For scores with n_levels equally likely values, P(positive <= t*) >= 1 - target, so breaking gets rarer."""
    assume(target >= 1 / n_levels)
    recall_at_level = 1 - np.arange(n_levels) / n_levels
    best_level = np.flatnonzero(recall_at_level >= target)[-1]
    at_or_below = (best_level + 1) / n_levels
    rank = compute_allowed_misses(n_positive, target_recall=target, confidence_level=0.9)
    assume(rank is not None)
    assert at_or_below >= 1 - target - 1e-12
    assert binom.cdf(rank, n_positive, at_or_below) <= 1 - compute_confidence(n_positive, rank, target) + 1e-9


def test_all_scores_equal_flags_everything():
    y_score = np.full(80, 0.5)
    point = fit_operating_point(TARGET, y_score, np.ones(80, dtype=bool), **PROMISE)
    assert point.flag(y_score).all()


def test_too_few_positives_are_refused_with_found_and_needed():
    y_true = np.r_[np.ones(58, dtype=bool), np.zeros(42, dtype=bool)]
    with pytest.raises(
        RecallNotReachableError, match=r"at least 59 positive .* found 58 among 100; label 1 more that go there"
    ) as caught:
        fit_operating_point(TARGET, np.linspace(0, 1, 100), y_true, **PROMISE)
    assert "any_risk" in str(caught.value)


def test_fifty_nine_positives_are_enough():
    found = select_threshold(np.linspace(0, 1, 59), np.ones(59, dtype=bool), **PROMISE)
    assert (found.threshold, found.n_allowed_misses) == (0.0, 0)


@pytest.mark.parametrize("n_samples", [0, 300])
def test_no_positives_are_refused(n_samples):
    with pytest.raises(RecallNotReachableError, match="found 0 among"):
        select_threshold(np.zeros(n_samples), np.zeros(n_samples, dtype=bool), **PROMISE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_post_that_defined_the_threshold_is_flagged_after_json(dtype):
    rng = np.random.default_rng(1)
    y_score = rng.random(500).astype(dtype)
    written = fit_operating_point(TARGET, y_score, y_score > 0.3, **PROMISE).model_dump_json()
    point = OperatingPoint.model_validate_json(written)
    positives = y_score[y_score > 0.3]
    assert point.threshold in positives.astype(np.float64)
    assert (~point.flag(positives)).sum() == point.n_allowed_misses


def test_an_operating_point_takes_name_labels_and_triage_from_its_target():
    point = fit_operating_point(TARGET, np.linspace(0, 1, 100), np.ones(100, dtype=bool), **PROMISE)
    assert (point.name, point.labels, point.triage) == ("any_risk", ("depression", "anxiety"), "review")
    assert (point.method, point.split) == ("order_statistic", "calibration")


@pytest.mark.parametrize(
    ("y_true", "expected"),
    [
        (np.ones(99, dtype=bool), r"shape \(100,\), found \(99,\)"),
        (np.full(100, 2), "bool or 0/1"),
        (np.ones(100), "found type float64"),
        (np.full(100, "depression"), "compare names first"),
    ],
)
def test_labels_that_are_not_zero_or_one_are_refused(y_true, expected):
    with pytest.raises(ValueError, match=expected):
        select_threshold(np.linspace(0, 1, 100), y_true, **PROMISE)


@pytest.mark.parametrize("promise", [(0.0, 0.95), (1.0, 0.95), (0.95, 0.0), (0.95, 1.0), (float("nan"), 0.95)])
def test_promises_outside_zero_and_one_are_refused(promise):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        compute_required_positives(*promise)


def test_non_finite_scores_are_refused():
    y_score = np.linspace(0, 1, 100)
    y_score[3] = np.nan
    with pytest.raises(ValueError, match="1 of 100 NaN or infinite"):
        select_threshold(y_score, np.ones(100, dtype=bool), **PROMISE)
