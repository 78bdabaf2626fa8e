"""Batches hold every post once, stay within the budget, and start with the longest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.inference.batching import plan_batches, round_up


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 2_000), st.sampled_from([1, 8, 16]))
def test_every_post_appears_exactly_once_and_batches_fit_the_budget(
    lengths: list[int], budget: int, multiple: int
) -> None:
    batches = plan_batches(lengths, budget, multiple)
    assert sorted(np.concatenate(batches).tolist() if batches else []) == list(range(len(lengths)))
    for batch in batches:
        width = round_up(max(1, *(lengths[i] for i in batch), 1), multiple)
        assert len(batch) == 1 or len(batch) * width <= budget


def test_longest_posts_come_first() -> None:
    lengths = [5, 90, 30, 61]
    longest_per_batch = [max(lengths[i] for i in batch) for batch in plan_batches(lengths, 64)]
    assert longest_per_batch == [90, 61, 30, 5]


def test_little_of_a_batch_is_padding_also_with_few_posts() -> None:
    lengths = np.random.default_rng(0).integers(20, 256, size=40)
    batches = plan_batches(lengths, 4_096)
    n_padded = sum(len(batch) * round_up(int(lengths[batch].max()), 8) for batch in batches)
    assert n_padded < 1.1 * lengths.sum()  # filled up to 4,096 tokens, batches would be half as large again
    assert len(batches) < len(lengths)


def test_no_posts_give_no_batches() -> None:
    assert plan_batches([], 100) == []


def test_a_budget_below_one_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        plan_batches([3], 0)
