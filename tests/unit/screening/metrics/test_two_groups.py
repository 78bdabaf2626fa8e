import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from screening.metrics.two_groups import compare_shares, correct_for_many

GROUP = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(GROUP, GROUP)
def test_interval_of_the_difference_is_newcombes(first: tuple[int, int], second: tuple[int, int]) -> None:
    interval = compare_shares(first, second, split="test").difference.interval
    assert interval is not None
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-9)


@given(GROUP, GROUP)
def test_p_value_is_fishers(first: tuple[int, int], second: tuple[int, int]) -> None:
    table = [[successes, n - successes] for successes, n in (first, second)]
    assert compare_shares(first, second, split="test").p_value == pytest.approx(fisher_exact(table).pvalue, abs=1e-6)


def test_p_value_of_a_small_table_agrees_with_counting() -> None:
    # 4 of 4 against 0 of 4: of the C(8, 4) = 70 ways to choose four posts, two are as extreme
    assert compare_shares((4, 4), (0, 4), split="test").p_value == pytest.approx(2 / 70)


@given(GROUP, GROUP)
def test_swapping_the_groups_turns_the_difference_around(first: tuple[int, int], second: tuple[int, int]) -> None:
    one, other = compare_shares(first, second, split="test"), compare_shares(second, first, split="test")
    assert one.p_value == pytest.approx(other.p_value)
    assert one.difference.value == pytest.approx(-float(other.difference.value or 0))
    assert one.difference.interval is not None
    assert other.difference.interval is not None
    assert one.difference.interval.low == pytest.approx(-other.difference.interval.high)


def test_nothing_can_be_said_about_an_empty_group() -> None:
    found = compare_shares((0, 0), (3, 5), split="test")
    assert (found.difference.value, found.difference.interval, found.ratio, found.p_value) == (None, None, None, 1.0)
    assert found.difference.n_samples == 5
    assert compare_shares((1, 5), (0, 5), split="test").ratio is None
    with pytest.raises(ValueError, match="n_success"):
        compare_shares((3, 2), (0, 5), split="test")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_correction_is_holms(p_values: list[float]) -> None:
    assert correct_for_many(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert (correct_for_many(p_values) >= np.array(p_values)).all()


def test_correcting_nothing_gives_nothing() -> None:
    assert correct_for_many([]).size == 0
