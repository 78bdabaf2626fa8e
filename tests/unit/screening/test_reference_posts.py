"""How far scores have moved, in the unit of the tolerance of thresholds."""

import numpy as np
import pytest
from scipy.special import logit, softmax

from screening.calibration.temperature import TemperatureScaling
from screening.reference_posts import REFERENCE_POSTS, measure_distance
from screening.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("mh5")
TEMPERATURE = TemperatureScaling(temperature=1.7, n_samples=0)


def test_distance_is_the_largest_move_of_any_targets_log_odds() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 8, 5))

    def compute_log_odds(logits: np.ndarray, indices: list[int]) -> np.ndarray:
        return np.asarray(logit(softmax(logits / 1.7, axis=1)[:, indices].sum(axis=1)))

    moves = [
        np.abs(compute_log_odds(first, indices) - compute_log_odds(second, indices)).max()
        for indices in (TAXONOMY.target_indices(target) for target in TAXONOMY.targets)
    ]
    assert measure_distance(first, second, TEMPERATURE, TAXONOMY) == pytest.approx(max(moves))


def test_what_all_classes_share_moves_no_score() -> None:
    logits = np.random.default_rng(1).normal(size=(8, 5))
    assert measure_distance(logits + 3, logits, TEMPERATURE, TAXONOMY) < 1e-12


def test_a_target_of_all_labels_does_not_count() -> None:
    whole = TAXONOMY.targets[0].model_copy(update={"labels": TAXONOMY.names})
    taxonomy = TAXONOMY.model_copy(update={"targets": (whole,)})
    assert measure_distance(np.eye(5), np.zeros((5, 5)), TEMPERATURE, taxonomy) == 0


def test_posts_are_of_many_kinds_and_one_is_longer_than_a_window() -> None:
    assert len(set(REFERENCE_POSTS)) == len(REFERENCE_POSTS)
    assert max(len(post.split()) for post in REFERENCE_POSTS) > 512
    assert any(not post.isascii() for post in REFERENCE_POSTS)
