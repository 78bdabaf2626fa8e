import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar

from screening.metrics.paired import compare_recall_paired

COUNTS = st.tuples(*[st.integers(0, 30)] * 4).filter(lambda counts: sum(counts) > 0)


def compare(n_both, n_only_a, n_only_b, n_neither):
    """Lay counts out as posts, with five other posts that must not matter."""
    repeats = (n_both, n_only_a, n_only_b, n_neither, 5)
    y_true = np.repeat([1, 1, 1, 1, 0], repeats)
    return compare_recall_paired(
        y_true, np.repeat([1, 1, 0, 0, 1], repeats), np.repeat([1, 0, 1, 0, 0], repeats), split="test"
    )


@given(COUNTS)
def test_p_value_agrees_with_statsmodels(counts):
    both, only_a, only_b, neither = counts
    oracle = mcnemar([[both, only_a], [only_b, neither]], exact=True).pvalue
    assert compare(*counts).p_value == pytest.approx(oracle)


@given(COUNTS)
def test_difference_is_the_difference_of_two_recalls_within_its_interval(counts):
    both, only_a, only_b, _ = counts
    found = compare(*counts)
    n = sum(counts)
    assert (found.n_both, found.n_only_a, found.n_only_b, found.n_neither) == counts
    assert found.difference.value == pytest.approx((both + only_a) / n - (both + only_b) / n)
    assert found.difference.n_samples == n
    interval = found.difference.interval
    assert -1 <= interval.low <= found.difference.value <= interval.high <= 1


@given(COUNTS)
def test_changing_sides_changes_the_sign_and_nothing_else(counts):
    both, only_a, only_b, neither = counts
    found, turned = compare(*counts), compare(both, only_b, only_a, neither)
    assert turned.p_value == found.p_value
    assert turned.difference.interval.low == pytest.approx(-found.difference.interval.high, abs=1e-9)


def compute_score_by_search(difference, only_a, only_b, n):
    """Tango's statistic with the nuisance share found by numeric search of the likelihood."""

    def loss(share_b):
        share_a, rest = share_b + difference, 1 - 2 * share_b - difference
        terms = ((only_a, share_a), (only_b, share_b), (n - only_a - only_b, rest))
        return -sum(count * np.log(max(share, 1e-300)) for count, share in terms if count)

    low, high = max(0.0, -difference), (1 - difference) / 2
    share_b = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = n * (2 * share_b + difference - difference**2)
    return (only_a - only_b - n * difference) / np.sqrt(variance)


@pytest.mark.parametrize("counts", [(36, 12, 2, 0), (40, 5, 1, 4), (10, 3, 3, 9), (500, 20, 45, 3), (3, 4, 2, 1)])
def test_interval_ends_where_the_score_test_rejects(counts):
    _, only_a, only_b, _ = counts
    interval = compare(*counts).difference.interval
    z = norm.ppf(0.975)
    assert compute_score_by_search(interval.low, only_a, only_b, sum(counts)) == pytest.approx(z, abs=1e-4)
    assert compute_score_by_search(interval.high, only_a, only_b, sum(counts)) == pytest.approx(-z, abs=1e-4)


def test_two_screeners_that_agree_on_every_post_have_a_closed_interval():
    # No discordant positive: the limits are -+ z^2 / (n + z^2).
    found = compare(40, 0, 0, 10)
    reach = norm.ppf(0.975) ** 2 / (50 + norm.ppf(0.975) ** 2)
    assert (found.difference.interval.low, found.difference.interval.high) == pytest.approx((-reach, reach))
    assert (found.difference.value, found.p_value) == (0, 1)


def test_nine_to_one_by_hand():
    # Fair coin, 10 tosses, at most 1 head: 11 / 1024, doubled.
    assert compare(20, 9, 1, 0).p_value == pytest.approx(22 / 1024)


def test_limits():
    all_found, none_found = compare(0, 30, 0, 0), compare(0, 0, 30, 0)
    assert (all_found.difference.value, all_found.difference.interval.high) == (1, 1)
    assert (none_found.difference.value, none_found.difference.interval.low) == (-1, -1)


def test_no_positives_leave_the_difference_undefined():
    found = compare(0, 0, 0, 0)
    assert (found.difference.value, found.difference.interval, found.p_value) == (None, None, 1)


@pytest.mark.statistical
@pytest.mark.parametrize(("recall_a", "recall_b", "n"), [(0.96, 0.93, 100), (0.95, 0.95, 60), (0.99, 0.9, 300)])
def test_interval_covers_the_true_difference_nearly_as_often_as_it_says(recall_a, recall_b, n):
    rng = np.random.default_rng(3)
    kept = 0
    for _ in range(2_000):
        hardness = rng.random(n)  # shared: the two scorers miss mostly the same posts
        flags_a, flags_b = ((0.7 * hardness + 0.3 * rng.random(n)) for _ in range(2))
        cut_a, cut_b = (_quantile_of_mixture(recall) for recall in (recall_a, recall_b))
        found = compare_recall_paired(np.ones(n, int), flags_a <= cut_a, flags_b <= cut_b, split="test")
        kept += found.difference.interval.low <= recall_a - recall_b <= found.difference.interval.high
    assert kept / 2_000 > 0.93  # standard error .005 around .95


def _quantile_of_mixture(share):
    """Quantile of .7 U + .3 V near its top, where P(.7 U + .3 V > x) = (1 - x)^2 / (2 * .7 * .3)."""
    assert share >= 0.9
    return 1 - np.sqrt((1 - share) * 2 * 0.7 * 0.3)
