import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from screening.metrics.ranking import compute_average_precision, count_at_thresholds, estimate_average_precision

POSTS = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=80).filter(
    lambda posts: any(positive for positive, _ in posts)
)


@given(POSTS)
def test_average_precision_agrees_with_scikit_learn_with_ties(posts):
    y_true, y_score = np.array([p for p, _ in posts]), np.array([s for _, s in posts]) / 20
    assert compute_average_precision(y_true, y_score) == pytest.approx(average_precision_score(y_true, y_score))


@given(POSTS)
def test_counts_at_a_threshold_are_what_the_threshold_flags(posts):
    y_true, y_score = np.array([p for p, _ in posts]), np.array([s for _, s in posts]) / 20
    counts = count_at_thresholds(y_true, y_score)
    for threshold, n_flagged, n_true_positive in zip(*counts, strict=True):
        assert n_flagged == (y_score >= threshold).sum()
        assert n_true_positive == (y_true & (y_score >= threshold)).sum()
    assert len(counts.threshold) == len(np.unique(y_score))


def test_average_precision_of_three_posts_by_hand():
    # positives at ranks 1 and 3: (1/2) * 1 + (1/2) * 2/3
    assert compute_average_precision([1, 0, 1], np.array([0.9, 0.5, 0.1])) == pytest.approx(5 / 6)


def test_equal_scores_give_the_share_of_positives():
    assert compute_average_precision([1, 0, 0, 0], np.full(4, 0.5)) == 0.25


def test_no_positives_have_no_average_precision():
    assert np.isnan(compute_average_precision([0, 0], np.array([0.1, 0.2])))
    assert np.isnan(compute_average_precision([], np.array([])))
    empty = estimate_average_precision([0, 0], np.array([0.1, 0.2]), split="test", rng=np.random.default_rng(0))
    assert (empty.value, empty.n_samples) == (None, 2)


def test_estimate_holds_its_value_in_a_seeded_interval():
    rng = np.random.default_rng(0)
    y_true = rng.random(300) < 0.3
    y_score = rng.normal(y_true)
    first, second = (
        estimate_average_precision(y_true, y_score, split="test", rng=np.random.default_rng(1), n_repeats=100)
        for _ in range(2)
    )
    assert first == second
    assert first.interval.low < first.value < first.interval.high
    assert (first.n_samples, first.split) == (300, "test")
