import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss

from screening.metrics.calibration import (
    compute_binary_brier_score,
    compute_brier_score,
    compute_calibration_error,
    compute_chance_calibration_error,
    compute_reliability_table,
    compute_top_label,
)

EVENTS = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60)


def simulate(n: int, seed: int, sharpening: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Events and probabilities; above 1, sharpening makes the probabilities over-confident."""
    rng = np.random.default_rng(seed)
    prob = rng.random(n)
    stated = prob**sharpening / (prob**sharpening + (1 - prob) ** sharpening)
    return rng.random(n) < prob, stated


@given(EVENTS)
def test_binary_brier_agrees_with_scikit_learn(events):
    y_true, y_prob = np.array([y for y, _ in events]), np.array([p for _, p in events])
    oracle = brier_score_loss(y_true, y_prob, pos_label=True, labels=[False, True])
    assert compute_binary_brier_score(y_true, y_prob) == pytest.approx(oracle)


@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_brier_agrees_with_scikit_learn(n, n_classes, seed):
    rng = np.random.default_rng(seed)
    y_prob = rng.dirichlet(np.ones(n_classes), n)
    y_true = rng.integers(0, n_classes, n)
    oracle = brier_score_loss(y_true, y_prob, labels=range(n_classes), scale_by_half=False)
    assert compute_brier_score(y_true, y_prob) == pytest.approx(oracle)


def test_brier_of_two_classes_is_twice_the_binary_one():
    y_true, y_prob = simulate(100, 0)
    both = np.column_stack((1 - y_prob, y_prob))
    assert compute_brier_score(y_true.astype(int), both) == pytest.approx(
        2 * compute_binary_brier_score(y_true, y_prob)
    )


def test_brier_limits():
    assert compute_brier_score([0, 1], np.eye(2)) == 0
    assert compute_brier_score([1, 0], np.eye(2)) == 2
    assert compute_brier_score([0, 1, 2], np.full((3, 5), 0.2)) == pytest.approx(1 - 1 / 5)
    assert np.isnan(compute_brier_score(np.array([], dtype=int), np.empty((0, 3))))
    assert np.isnan(compute_binary_brier_score([], []))


def test_brier_of_one_post_by_hand():
    assert compute_brier_score([0], [[0.5, 0.3, 0.2]]) == pytest.approx(0.25 + 0.09 + 0.04)


def test_top_label_gives_hits_and_confidences():
    hits, confidences = compute_top_label([0, 0], [[0.7, 0.3], [0.2, 0.8]])
    assert hits.tolist() == [True, False]
    assert confidences.tolist() == [0.7, 0.8]


def test_calibration_error_of_four_posts_by_hand():
    # Bins {.1, .2} with 1 of 2 and {.8, .9} with 1 of 2: (|.5 - .15| + |.5 - .85|) / 2.
    assert compute_calibration_error([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9], n_bins=2) == pytest.approx(0.35)


@given(EVENTS, st.integers(1, 12))
def test_calibration_error_is_read_off_the_reliability_table(events, n_bins):
    y_true, y_prob = np.array([y for y, _ in events]), np.array([p for _, p in events])
    table = compute_reliability_table(y_true, y_prob, split="test", n_bins=n_bins)
    expected = ((table["value"] - table["mean_prob"]).abs() * table["n"]).sum() / table["n"].sum()
    found = compute_calibration_error(y_true, y_prob, n_bins=n_bins)
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0 <= found <= 1


@given(EVENTS, st.integers(1, 12))
def test_bins_hold_every_post_once_in_order_and_keep_ties_together(events, n_bins):
    y_prob = np.round([p for _, p in events], 1)
    table = compute_reliability_table([y for y, _ in events], y_prob, split="test", n_bins=n_bins)
    assert len(table) <= n_bins
    assert table["n"].sum() == y_prob.size
    assert table["n"].min() >= 1
    edges = np.cumsum(table["n"])[:-1]
    ranked = np.sort(y_prob)
    assert (ranked[edges] > ranked[edges - 1]).all()


def test_distinct_probabilities_give_bins_of_equal_mass():
    y_true, y_prob = simulate(1_000, 1)
    assert compute_reliability_table(y_true, y_prob, split="test", n_bins=8)["n"].tolist() == [125] * 8


def test_reliability_bounds_are_exact():
    row = compute_reliability_table([1, 1, 0, 1], [0.5] * 4, split="test").iloc[0]
    oracle = binomtest(3, 4).proportion_ci(method="exact")
    assert row[["value", "low", "high"]].tolist() == pytest.approx([0.75, oracle.low, oracle.high])


def test_equal_probabilities_fall_into_one_bin():
    y_true = np.arange(100) < 30
    assert compute_calibration_error(y_true, np.full(100, 0.3)) == pytest.approx(0)
    assert compute_calibration_error(y_true, np.full(100, 1.0)) == pytest.approx(0.7)


def test_calibration_error_vanishes_for_calibrated_probabilities_as_n_grows():
    errors = [compute_calibration_error(*simulate(n, 2)) for n in (100, 10_000, 1_000_000)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.002


def test_chance_error_is_exceeded_by_miscalibration_and_seldom_by_calibration():
    rng = np.random.default_rng(0)
    y_true, y_prob = simulate(500, 3, sharpening=2)
    assert compute_calibration_error(y_true, y_prob) > compute_chance_calibration_error(y_prob, rng=rng)
    exceeded = 0
    for seed in range(200):
        y_true, y_prob = simulate(200, seed)
        chance = compute_chance_calibration_error(y_prob, rng=rng, n_repeats=200)
        exceeded += compute_calibration_error(y_true, y_prob) > chance
    # 5 % of 200 is 10, with a standard deviation of 3.1; 20 is more than three of them above.
    assert exceeded <= 20


def test_no_posts_have_no_calibration_error():
    rng = np.random.default_rng(0)
    assert np.isnan(compute_calibration_error([], []))
    assert np.isnan(compute_chance_calibration_error([], rng=rng))
    assert compute_reliability_table([], [], split="test").empty


@pytest.mark.parametrize(
    ("y_true", "y_prob", "expected"),
    [
        ([1], [1.1], "1 of 1 outside"),
        ([1], [np.nan], "1 of 1 outside"),
        ([1, 0], [0.5], "one label per score"),
        ([1], [[0.5, 0.5]], "one probability per post"),
        ([2], [0.5], "bool or 0/1"),
    ],
)
def test_impossible_events_are_refused(y_true, y_prob, expected):
    with pytest.raises(ValueError, match=expected):
        compute_calibration_error(y_true, y_prob)


def test_rows_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        compute_brier_score([0], [[0.5, 0.4]])


def test_fewer_than_one_bin_is_refused():
    with pytest.raises(ValueError, match="at least one bin, found 0"):
        compute_calibration_error([1], [0.5], n_bins=0)
