"""Spearman's rank correlation, against scipy's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from screening.metrics.rank_correlation import compute_rank_correlation

COLUMNS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=30)


@given(COLUMNS)
def test_it_is_scipys_with_ties_and_undefined_for_constant_columns(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=float).T
    found = compute_rank_correlation(first, second)
    if len(set(first)) < 2 or len(set(second)) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_only_order_counts_and_reversing_it_changes_the_sign() -> None:
    values = np.array([0.3, 5.0, -2.0, 9.0])
    assert compute_rank_correlation(values, np.exp(values)) == 1
    assert compute_rank_correlation(values, -(values**3)) == -1


def test_nothing_and_one_thing_have_no_order() -> None:
    assert math.isnan(compute_rank_correlation([], []))
    assert math.isnan(compute_rank_correlation([1.0], [2.0]))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        compute_rank_correlation([1.0, 2.0], [1.0])
