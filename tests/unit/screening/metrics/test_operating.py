import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from screening.metrics.intervals import compute_proportion_interval, estimate_proportion
from screening.metrics.operating import OperatingResult, compute_operating_result, judge_promise

POSTS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(POSTS)
def test_counts_agree_with_scikit_learn_and_add_up(posts):
    y_true, flags = np.array(posts).T
    found = compute_operating_result(y_true, flags, split="test")
    counts = [found.n_true_negative, found.n_false_positive, found.n_false_negative, found.n_true_positive]
    assert counts == confusion_matrix(y_true, flags, labels=[False, True]).ravel().tolist()
    assert sum(counts) == found.n_samples == len(posts)
    assert found.n_positive == y_true.sum()


def test_rates_of_ten_posts_by_hand():
    found = compute_operating_result([1] * 4 + [0] * 6, [1, 1, 1, 0, 1, 1, 0, 0, 0, 0], split="test")
    assert found.recall.value == 3 / 4
    assert found.specificity.value == pytest.approx(4 / 6)
    assert found.false_alarm_rate.value == pytest.approx(2 / 6)
    assert found.ppv.value == 3 / 5
    assert found.npv.value == 4 / 5
    assert found.alert_rate.value == 5 / 10
    assert found.recall.interval == compute_proportion_interval(3, 4)
    assert [rate.n_samples for rate in (found.recall, found.specificity, found.ppv, found.npv)] == [4, 6, 5, 5]


def test_rates_without_posts_to_count_are_undefined():
    found = compute_operating_result([0, 0], [0, 0], split="test")
    assert (found.recall.value, found.ppv.value, found.npv.value) == (None, None, 1.0)
    assert compute_operating_result([], [], split="test").alert_rate.value is None


def test_a_result_survives_json():
    found = compute_operating_result([1, 0, 1], [1, 1, 0], split="test")
    assert OperatingResult.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("n_hits", "n", "verdict"),
    [
        (80, 100, "contradicted"),
        (94, 100, "consistent"),
        (990, 1_000, "confirmed"),
        (10, 10, "consistent"),
        (0, 0, "unknown"),
    ],
)
def test_a_promise_is_judged_by_the_whole_interval(n_hits, n, verdict):
    assert judge_promise(estimate_proportion(n_hits, n, split="test"), 0.95) == verdict


def test_different_numbers_of_labels_and_flags_are_refused():
    with pytest.raises(ValueError, match="one label per score"):
        compute_operating_result([1, 0], [1], split="test")
