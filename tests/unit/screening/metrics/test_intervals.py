import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, ttest_1samp

from screening.metrics.intervals import (
    compute_proportion_bounds,
    compute_proportion_interval,
    estimate_mean,
    estimate_proportion,
)

COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.floats(0.5, 0.999))
def test_interval_agrees_with_scipy(counts, confidence_level):
    found = compute_proportion_interval(*counts, confidence_level)
    oracle = binomtest(*counts).proportion_ci(confidence_level, method="exact")
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


@given(COUNTS)
def test_interval_holds_the_observed_share_and_narrows_with_confidence(counts):
    wide, narrow = (compute_proportion_interval(*counts, level) for level in (0.99, 0.8))
    assert 0 <= wide.low <= narrow.low <= counts[0] / counts[1] <= narrow.high <= wide.high <= 1


@pytest.mark.parametrize("n", [5, 20, 60])
def test_interval_covers_every_true_share_at_its_level(n):
    low, high = compute_proportion_bounds(np.arange(n + 1), np.full(n + 1, n), 0.95)
    for share in np.linspace(0.01, 0.99, 99):
        covers = (low <= share) & (share <= high)
        assert binom.pmf(np.arange(n + 1), n, share)[covers].sum() >= 0.95


def test_no_success_gives_the_hand_worked_bound():
    # P(no success in n) = (1 - high)^n = .025
    found = compute_proportion_interval(0, 10)
    assert (found.low, found.high) == (0, pytest.approx(1 - 0.025**0.1))


def test_interval_closes_in_on_the_share_as_n_grows():
    found = compute_proportion_interval(3 * 10**7, 10**8)
    assert found.high - found.low < 2e-4


def test_nothing_counted_tells_nothing():
    assert compute_proportion_interval(0, 0).model_dump() == {"low": 0, "high": 1, "confidence_level": 0.95}
    empty = estimate_proportion(0, 0, split="test")
    assert (empty.value, empty.interval, empty.n_samples) == (None, None, 0)


def test_an_estimate_carries_value_n_and_split():
    found = estimate_proportion(9, 12, split="validation")
    assert (found.value, found.n_samples, found.split) == (0.75, 12, "validation")


@pytest.mark.parametrize("counts", [(3, 2), (-1, 2), (0.5, 2), (float("nan"), 2)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="whole counts"):
        compute_proportion_interval(*counts)


@pytest.mark.parametrize("level", [0, 1, float("nan")])
def test_impossible_confidence_levels_are_refused(level):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        compute_proportion_interval(1, 2, level)


def test_a_mean_has_scipys_interval_and_leaves_undefined_values_out():
    values = np.random.default_rng(2).exponential(size=120)
    found = estimate_mean([*values, np.nan, np.nan], split="test")
    oracle = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.value, found.n_samples) == (pytest.approx(values.mean()), 120)
    assert (found.interval.low, found.interval.high) == pytest.approx((oracle.low, oracle.high))


def test_values_that_are_all_the_same_are_not_certain():
    assert estimate_mean([0.3] * 8, split="test").interval is None


@pytest.mark.parametrize("n", [0, 1, 4])
def test_few_values_have_no_interval(n):
    found = estimate_mean([0.3] * n + [float("nan")], split="test")
    assert (found.value, found.interval, found.n_samples) == (pytest.approx(0.3) if n else None, None, n)


def test_few_clusters_have_no_interval_however_many_posts():
    assert estimate_mean(np.arange(40.0), split="test", clusters=np.arange(40) % 4).interval is None


def _measure_coverage(draw, n_repeats=2_000):
    """Share of intervals that hold a true mean of 0."""
    intervals = [draw(np.random.default_rng(i)).interval for i in range(n_repeats)]
    return np.mean([interval.low <= 0 <= interval.high for interval in intervals])


@pytest.mark.statistical
@pytest.mark.parametrize("n", [5, 10, 24])
def test_the_interval_of_a_mean_covers_it(n):
    # skewed and bounded, as rank correlations are; 2,000 repeats: 3 Monte-Carlo sd of .95 are .015
    skewed = _measure_coverage(lambda rng: estimate_mean(rng.beta(4, 2, n) - 4 / 6, split="test"))
    assert skewed >= 0.95 - 0.015 - (0.02 if n < 10 else 0.01)  # what the skewness of so few costs
    assert skewed <= 0.965


@pytest.mark.statistical
def test_the_interval_covers_where_posts_of_a_cluster_vary_together():
    clusters = np.repeat(np.arange(6), 4)

    def draw(rng, is_told):
        values = rng.normal(size=6)[clusters] + 0.5 * rng.normal(size=24)
        return estimate_mean(values, split="test", clusters=clusters if is_told else None)

    assert _measure_coverage(lambda rng: draw(rng, is_told=True)) >= 0.935
    assert _measure_coverage(lambda rng: draw(rng, is_told=False)) < 0.8
