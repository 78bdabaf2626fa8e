import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from screening.metrics.bootstrap import (
    compute_bootstrap_interval,
    compute_paired_difference,
    compute_resampled_interval,
)
from screening.metrics.confusion import compute_confusion_matrix, compute_macro_f1


def simulate(n: int, share_right: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 3, n)
    return y_true, np.where(rng.random(n) < share_right, y_true, rng.integers(0, 3, n))


def test_interval_agrees_with_resampling_the_posts_themselves():
    y_true, y_pred = simulate(150, 0.6, 0)
    found = compute_bootstrap_interval(
        y_true, y_pred, n_classes=3, metric="macro_f1", rng=np.random.default_rng(1), n_repeats=4_000
    )
    oracle = bootstrap(
        (y_true, y_pred),
        lambda y, p: float(compute_macro_f1(compute_confusion_matrix(y, p, n_classes=3))),
        paired=True,
        vectorized=False,
        n_resamples=1_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    # Monte-Carlo error of a 2.5 % quantile over 1,000 repeats is about .0025 here; .01 is four times that.
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.01)


def test_interval_of_accuracy_approaches_the_normal_one():
    y_true, y_pred = simulate(20_000, 0.5, 3)
    accuracy = (y_true == y_pred).mean()
    half = norm.ppf(0.975) * np.sqrt(accuracy * (1 - accuracy) / y_true.size)
    found = compute_bootstrap_interval(
        y_true, y_pred, n_classes=3, metric="accuracy", rng=np.random.default_rng(0), n_repeats=10_000
    )
    # half is .0065; a quantile over 10,000 repeats is off by about .0001.
    assert (found.low, found.high) == pytest.approx((accuracy - half, accuracy + half), abs=5e-4)


@pytest.mark.parametrize("metric", ["macro_f1", "weighted_f1", "macro_recall"])
def test_the_same_seed_gives_the_same_interval(metric):
    y_true, y_pred = simulate(80, 0.7, 4)
    found = [
        compute_bootstrap_interval(y_true, y_pred, n_classes=3, metric=metric, rng=np.random.default_rng(seed))
        for seed in (5, 5, 6)
    ]
    assert found[0] == found[1] != found[2]


def test_perfect_predictions_leave_no_spread():
    y_true, _ = simulate(50, 1, 0)
    found = compute_bootstrap_interval(y_true, y_true, n_classes=3, metric="macro_f1", rng=np.random.default_rng(0))
    assert (found.low, found.high) == (1, 1)


def test_no_posts_have_no_interval():
    empty = np.array([], dtype=int)
    rng = np.random.default_rng(0)
    assert compute_bootstrap_interval(empty, empty, n_classes=3, metric="accuracy", rng=rng) is None
    paired = compute_paired_difference(empty, (empty, empty), n_classes=3, metric="accuracy", split="test", rng=rng)
    assert (paired.value, paired.interval) == (None, None)
    assert compute_resampled_interval(np.mean, np.array([]), rng=rng) is None


def test_a_model_does_not_differ_from_itself():
    y_true, y_pred = simulate(100, 0.6, 0)
    found = compute_paired_difference(
        y_true, (y_pred, y_pred), n_classes=3, metric="macro_f1", split="test", rng=np.random.default_rng(0)
    )
    assert (found.value, found.interval.low, found.interval.high, found.n_samples) == (0, 0, 0, 100)


def test_a_paired_difference_changes_sign_with_the_order():
    y_true, first = simulate(200, 0.8, 0)
    second = np.roll(first, 1)
    forward, backward = (
        compute_paired_difference(
            y_true,
            pair,
            n_classes=3,
            metric="weighted_f1",
            split="test",
            rng=np.random.default_rng(7),
            n_repeats=20_000,
        )
        for pair in ((first, second), (second, first))
    )
    assert forward.value == -backward.value > 0
    # The cells come in another order, so the draws differ: quantiles agree up to Monte-Carlo error (about .0015).
    assert forward.interval.low == pytest.approx(-backward.interval.high, abs=0.006)


def test_pairing_sees_a_difference_that_separate_intervals_do_not():
    y_true, first = simulate(400, 0.6, 1)
    second = first.copy()
    right = np.flatnonzero(first == y_true)[:12]
    second[right] = (y_true[right] + 1) % 3  # the second model adds twelve errors and mends none
    paired = compute_paired_difference(
        y_true, (first, second), n_classes=3, metric="accuracy", split="test", rng=np.random.default_rng(0)
    )
    separate = [
        compute_bootstrap_interval(y_true, p, n_classes=3, metric="accuracy", rng=np.random.default_rng(0))
        for p in (first, second)
    ]
    assert paired.value == pytest.approx(12 / 400)
    assert paired.interval.low > 0
    assert separate[0].low < separate[1].high


def test_undefined_repeats_are_left_out():
    values = np.array([0.0, 0.0, 1.0])

    def share_if_any(sample: np.ndarray) -> float:
        return sample.mean() if sample.any() else float("nan")

    found = compute_resampled_interval(share_if_any, values, rng=np.random.default_rng(0))
    assert found.low == pytest.approx(1 / 3)
    assert compute_resampled_interval(lambda _: float("nan"), values, rng=np.random.default_rng(0)) is None


def test_columns_are_resampled_together():
    column = np.arange(30.0)
    found = compute_resampled_interval(
        lambda a, b: np.abs(a + b).max(), column, -column, rng=np.random.default_rng(0), n_repeats=20
    )
    assert found.high == 0
