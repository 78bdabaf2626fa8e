from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.audit.finite_population import compute_lower_tail, compute_lower_total, compute_upper_total


def compute_exact_tail(n_population: int, n_positive: int, n_sampled: int, n_found: int) -> Fraction:
    """P(X <= n_found) by counting samples with whole numbers."""
    ways = sum(comb(n_positive, x) * comb(n_population - n_positive, n_sampled - x) for x in range(n_found + 1))
    return Fraction(ways, comb(n_population, n_sampled))


@st.composite
def samples(draw: st.DrawFn) -> tuple[int, int, int]:
    n_population = draw(st.integers(1, 60))
    n_sampled = draw(st.integers(0, n_population))
    return n_population, n_sampled, draw(st.integers(0, n_sampled))


@given(samples(), st.sampled_from([0.6, 0.9, 0.95, 0.99]))
def test_upper_bound_is_the_largest_count_that_whole_number_counting_does_not_rule_out(sample, level):
    n_population, n_sampled, n_found = sample
    error = Fraction(1) - Fraction(str(level))
    possible = range(n_found, n_population - (n_sampled - n_found) + 1)
    kept = [m for m in possible if compute_exact_tail(n_population, m, n_sampled, n_found) > error]
    assert compute_upper_total(n_population, n_sampled, n_found, level) == max(kept)


@given(samples(), st.sampled_from([0.6, 0.9, 0.95, 0.99]))
def test_lower_bound_is_the_smallest_count_that_whole_number_counting_does_not_rule_out(sample, level):
    n_population, n_sampled, n_found = sample
    error = Fraction(1) - Fraction(str(level))
    possible = range(n_found, n_population - (n_sampled - n_found) + 1)
    above = [
        m
        for m in possible
        if 1 - (compute_exact_tail(n_population, m, n_sampled, n_found - 1) if n_found else 0) > error
    ]
    assert compute_lower_total(n_population, n_sampled, n_found, level) == min(above)


@pytest.mark.parametrize("n_positive", [0, 1, 3, 12, 29, 30])
def test_bounds_cover_every_true_count_with_their_confidence_by_exact_enumeration(n_positive):
    n_population, n_sampled, level = 30, 11, 0.9
    covered = {"upper": Fraction(0), "lower": Fraction(0)}
    for x in range(max(0, n_sampled - (n_population - n_positive)), min(n_positive, n_sampled) + 1):
        ways = comb(n_positive, x) * comb(n_population - n_positive, n_sampled - x)
        probability = Fraction(ways, comb(n_population, n_sampled))
        covered["upper"] += probability * (compute_upper_total(n_population, n_sampled, x, level) >= n_positive)
        covered["lower"] += probability * (compute_lower_total(n_population, n_sampled, x, level) <= n_positive)
    assert min(covered.values()) >= Fraction(9, 10)


def test_a_population_read_in_full_is_known_and_an_unread_one_is_not():
    assert compute_upper_total(50, 50, 7, 0.95) == compute_lower_total(50, 50, 7, 0.95) == 7
    assert (compute_lower_total(50, 0, 0, 0.95), compute_upper_total(50, 0, 0, 0.95)) == (0, 50)
    assert compute_upper_total(0, 0, 0, 0.95) == 0


def test_more_positives_than_posts_are_impossible():
    assert compute_lower_tail(10, 11, 3, 3) == 0.0


def test_bound_of_a_large_population_is_the_rule_of_three():
    # no misses in n of N posts: about 3 N / n may be left (-log .05 = 2.996)
    assert compute_upper_total(10_000_000, 5_000, 0, 0.95) == pytest.approx(2.996 * 2_000, rel=0.001)


@pytest.mark.parametrize("counts", [(10, 11, 0), (10, 5, 6), (10, 5, -1)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="expected 0 <= n_found"):
        compute_upper_total(*counts, 0.95)
    with pytest.raises(ValueError, match="confidence_level"):
        compute_upper_total(10, 5, 1, 1.0)
