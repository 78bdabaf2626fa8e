import numpy as np
import pytest

from screening.metrics.validation import validate_binary, validate_classes, validate_probabilities, validate_scores


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_keep_their_precision(dtype):
    assert validate_scores(np.array([0.1], dtype=dtype)).dtype == dtype


def test_error_messages_never_show_the_values():
    with pytest.raises(ValueError, match="type") as caught:
        validate_binary(np.array(["a sentence somebody wrote"]))
    assert "somebody" not in str(caught.value)


@pytest.mark.parametrize("values", [[0, 1, 1], [False, True, True], np.array([0, 1, 1], dtype=np.uint8)])
def test_labels_may_be_booleans_or_zeros_and_ones(values):
    assert validate_binary(values, 3).tolist() == [False, True, True]


@pytest.mark.parametrize("values", [[], [0, 1, 2]])
def test_classes_within_bounds_pass(values):
    assert validate_classes(np.array(values, dtype=int), 3).tolist() == values


def test_single_precision_rows_that_sum_to_one_pass():
    rows = np.random.default_rng(0).dirichlet(np.ones(50), 20).astype(np.float32)
    assert validate_probabilities(rows).dtype == np.float64
