import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

from screening.metrics.ranking import (
    compute_average_precision,
    count_at_thresholds,
    estimate_roc_area,
)

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


@given(POSTS)
def test_roc_area_agrees_with_scikit_learn_with_ties(posts):
    y_true, y_score = np.array([p for p, _ in posts]), np.array([s for _, s in posts]) / 20
    if not y_true.all():
        assert estimate_roc_area(y_true, y_score, split="test").value == pytest.approx(roc_auc_score(y_true, y_score))


@pytest.mark.parametrize("y_true", [[], [1, 1], [0, 0]])
def test_an_area_without_both_kinds_of_posts_is_undefined(y_true):
    area = estimate_roc_area(y_true, np.linspace(0, 1, len(y_true)), split="test")
    assert (area.value, area.interval, area.n_samples) == (None, None, len(y_true))


def test_area_interval_follows_the_placements_compared_one_by_one():
    rng = np.random.default_rng(4)
    y_true = rng.random(90) < 0.4
    y_score = np.round(rng.normal(y_true), 1)  # ties
    wins = (y_score[y_true][:, None] > y_score[~y_true]) + 0.5 * (y_score[y_true][:, None] == y_score[~y_true])
    variance = wins.mean(axis=1).var(ddof=1) / y_true.sum() + wins.mean(axis=0).var(ddof=1) / (~y_true).sum()
    area = wins.mean()
    reach = 1.959964 * np.sqrt(variance) / (area * (1 - area))
    found = estimate_roc_area(y_true, y_score, split="test")
    expected = [1 / (1 + np.exp(-(np.log(area / (1 - area)) + side * reach))) for side in (-1, 1)]
    assert [found.interval.low, found.interval.high] == pytest.approx(expected, abs=1e-6)


def test_a_perfect_ranking_of_few_posts_keeps_a_wide_interval():
    found = estimate_roc_area([1] * 10 + [0] * 500, np.linspace(1, 0, 510), split="test")
    assert found.value == 1
    assert found.interval.low == pytest.approx(0.025 ** (1 / 10))  # ten pairs, all in order
    assert estimate_roc_area([1, 0, 0], np.array([0.5, 0.4, 0.6]), split="test").interval.low == 0


@pytest.mark.statistical
@pytest.mark.parametrize("n_posts", [4, 7, 300])
def test_equal_scores_leave_the_area_unknown(n_posts):
    found = estimate_roc_area(np.arange(n_posts) % 2, np.full(n_posts, 0.3), split="test")
    assert found.value == 0.5
    assert (found.interval.low, found.interval.high) == (0, 1)


def test_area_interval_covers_the_true_area_nearly_as_often_as_it_says():
    rng, kept = np.random.default_rng(6), 0
    truth = norm.cdf(2 / np.sqrt(2))
    for _ in range(2_000):
        y_true = np.arange(200) < 60
        found = estimate_roc_area(y_true, rng.normal(2 * y_true), split="test")
        kept += found.interval.low <= truth <= found.interval.high
    assert kept / 2_000 > 0.935  # three standard errors below .95
