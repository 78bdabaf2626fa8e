import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from screening.metrics.confusion import LABEL_METRICS, compute_confusion_matrix

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)
ORACLES = {
    "accuracy": accuracy_score,
    "macro_f1": lambda y, p: f1_score(y, p, average="macro"),
    "weighted_f1": lambda y, p: f1_score(y, p, average="weighted"),
    "macro_recall": lambda y, p: recall_score(y, p, average="macro", labels=np.unique(y)),
}


@given(PAIRS)
def test_matrix_agrees_with_scikit_learn(pairs):
    y_true, y_pred = np.array(pairs).T
    oracle = confusion_matrix(y_true, y_pred, labels=range(5))
    np.testing.assert_array_equal(compute_confusion_matrix(y_true, y_pred, n_classes=5), oracle)


@given(PAIRS, st.sampled_from(sorted(ORACLES)))
def test_metrics_agree_with_scikit_learn_when_classes_are_missing(pairs, metric):
    y_true, y_pred = np.array(pairs).T
    found = LABEL_METRICS[metric](compute_confusion_matrix(y_true, y_pred, n_classes=5))
    assert found == pytest.approx(ORACLES[metric](y_true, y_pred))


@pytest.mark.parametrize("metric", LABEL_METRICS)
def test_metrics_of_a_stack_are_the_metrics_of_its_matrices(metric):
    stack = np.random.default_rng(0).integers(0, 9, (7, 4, 4))
    np.testing.assert_allclose(LABEL_METRICS[metric](stack), [LABEL_METRICS[metric](matrix) for matrix in stack])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", 4 / 6),
        ("macro_f1", (6 / 8 + 2 / 4) / 2),
        ("weighted_f1", (4 * 6 / 8 + 2 * 2 / 4) / 6),
        ("macro_recall", (3 / 4 + 1 / 2) / 2),
    ],
)
def test_metrics_of_six_posts_by_hand(metric, expected):
    assert LABEL_METRICS[metric](np.array([[3, 1], [1, 1]])) == pytest.approx(expected)


@pytest.mark.parametrize("metric", LABEL_METRICS)
def test_right_posts_give_one_wrong_posts_zero_and_no_posts_nan(metric):
    compute = LABEL_METRICS[metric]
    assert compute(np.diag([3, 0, 5])) == 1
    assert compute(np.array([[0, 2], [2, 0]])) == 0
    assert np.isnan(compute(np.zeros((2, 2), dtype=int)))


@pytest.mark.parametrize(("y_true", "y_pred"), [([0, 5], [0, 0]), ([0, 0], [0, -1]), ([0, 0], [0]), ([0.0], [0])])
def test_impossible_classes_are_refused(y_true, y_pred):
    with pytest.raises(ValueError, match="class indices"):
        compute_confusion_matrix(y_true, y_pred, n_classes=5)
