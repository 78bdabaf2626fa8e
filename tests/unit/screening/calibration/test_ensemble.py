"""The weight of a second model: a brute-force oracle, limits, and bounds."""

import numpy as np
import pytest
from scipy.special import log_softmax

from screening.calibration.ensemble import MAX_WEIGHT, fit_ensemble_weight


def draw(seed: int, *strengths: float, n_posts: int = 600) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 4, n_posts)
    return [strength * np.eye(4)[y_true] + rng.normal(size=(n_posts, 4)) for strength in strengths], y_true


def compute_best_loss(first: np.ndarray, second: np.ndarray, y_true: np.ndarray, weight: float) -> float:
    """Log loss at the best of many temperatures."""
    logits = first + weight * second
    rows = np.arange(len(y_true))
    return min(-log_softmax(logits / t, axis=1)[rows, y_true].mean() for t in np.geomspace(0.1, 10, 400))


@pytest.mark.parametrize("seed", range(3))
def test_no_other_weight_has_a_lower_loss(seed: int) -> None:
    (first, second), y_true = draw(seed, 1.5, 1.0)
    weight = fit_ensemble_weight(first, second, y_true)
    losses = {w: compute_best_loss(first, second, y_true, w) for w in np.linspace(0, 3, 31)}
    assert compute_best_loss(first, second, y_true, weight) <= min(losses.values()) + 1e-5


def test_two_models_alike_count_alike() -> None:
    (first, second), y_true = draw(5, 1.0, 1.0, n_posts=20_000)
    assert fit_ensemble_weight(first, second, y_true) == pytest.approx(1, abs=0.08)


def test_half_the_scale_doubles_the_weight() -> None:
    (first, second), y_true = draw(6, 1.0, 1.0)
    whole, half = (fit_ensemble_weight(first, scale * second, y_true) for scale in (1, 0.5))
    assert half == pytest.approx(2 * whole, rel=1e-3)


def test_a_model_that_is_worse_than_chance_gets_no_vote() -> None:
    (first, second), y_true = draw(7, 1.0, -1.0)
    assert fit_ensemble_weight(first, second, y_true) == 0


def test_weight_stays_within_bounds_where_the_first_model_knows_nothing() -> None:
    (first, second), y_true = draw(8, 0.0, 2.0)
    assert 0 < fit_ensemble_weight(0.001 * first, second, y_true) <= MAX_WEIGHT


@pytest.mark.parametrize("shape", [(5,), (5, 3)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected|shape"):
        fit_ensemble_weight(np.zeros(shape), np.zeros(shape), np.zeros(4, dtype=int))
