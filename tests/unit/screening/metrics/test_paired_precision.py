"""The difference of two precisions against hand-worked counts, plain resampling, and its coverage."""

import numpy as np
import pytest

from screening.metrics.paired_precision import compare_precision_paired


def make_posts(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flags that lean on one noisy score each, with common noise: precisions near .58 and .49."""
    true = rng.random(n) < 0.3
    common = rng.normal(size=n)
    first = 1.6 * true + 0.7 * common + 0.7 * rng.normal(size=n) > 0.8
    second = 1.2 * true + 0.7 * common + 0.7 * rng.normal(size=n) > 0.8
    return true, first, second


def test_a_hand_worked_difference() -> None:
    true = [1, 1, 1, 0, 0, 0, 0, 0]
    first = [1, 1, 0, 1, 0, 0, 0, 0]  # 2 of 3
    second = [1, 0, 0, 1, 1, 1, 0, 0]  # 1 of 4
    found = compare_precision_paired(true, first, second, split="test", rng=np.random.default_rng(0))
    assert found.value == pytest.approx(2 / 3 - 1 / 4)
    assert found.n_samples == 8


def test_the_interval_is_that_of_plain_resampling_of_posts() -> None:
    true, first, second = make_posts(400, np.random.default_rng(1))
    found = compare_precision_paired(true, first, second, split="test", rng=np.random.default_rng(2), n_repeats=20_000)
    rng = np.random.default_rng(3)
    draws = []
    for _ in range(4_000):
        rows = rng.integers(0, 400, 400)
        draws.append(true[rows][first[rows]].mean() - true[rows][second[rows]].mean())
    assert found.interval is not None
    # standard error of a 2.5 % quantile of 4,000 draws with spread .03 is about .0013
    np.testing.assert_allclose([found.interval.low, found.interval.high], np.quantile(draws, [0.025, 0.975]), atol=5e-3)


def test_swapping_the_screeners_swaps_the_sign() -> None:
    true, first, second = make_posts(300, np.random.default_rng(4))
    one = compare_precision_paired(true, first, second, split="test", rng=np.random.default_rng(5))
    other = compare_precision_paired(true, second, first, split="test", rng=np.random.default_rng(5))
    assert one.value == pytest.approx(-(other.value or 0))


def test_the_same_flags_differ_by_exactly_nothing() -> None:
    true, first, _ = make_posts(300, np.random.default_rng(6))
    found = compare_precision_paired(true, first, first, split="test", rng=np.random.default_rng(7))
    assert found.interval is not None
    assert (found.value, found.interval.low, found.interval.high) == (0, 0, 0)


def test_a_screener_that_flags_nothing_has_no_precision() -> None:
    found = compare_precision_paired([1, 0], [0, 0], [1, 1], split="test", rng=np.random.default_rng(0))
    assert found.value is None
    assert found.interval is None


@pytest.mark.statistical
def test_the_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(8)
    true, first, second = make_posts(4_000_000, rng)
    actual = true[first].mean() - true[second].mean()
    n_covered = 0
    for _ in range(1_000):
        found = compare_precision_paired(*make_posts(300, rng), split="test", rng=rng, n_repeats=500)
        assert found.interval is not None
        n_covered += found.interval.low <= actual <= found.interval.high
    assert 920 <= n_covered <= 975  # binomial(1000, .95) has standard deviation 7; the percentile bootstrap falls short
