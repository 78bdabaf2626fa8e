import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from screening.calibration.temperature import MAX_TEMPERATURE, MIN_TEMPERATURE, TemperatureScaling, fit_temperature
from screening.exceptions import NotCalibratedError

LOGITS = arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(2, 6)), elements=st.floats(-50, 50))


def simulate(n: int, n_classes: int, temperature: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too large by the factor ``temperature``, with labels drawn from the true probabilities."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, n_classes))
    gumbel = rng.gumbel(size=logits.shape)
    return logits * temperature, (logits + gumbel).argmax(axis=1)


class Logits(ClassifierMixin, BaseEstimator):
    """An estimator whose decision function is its input."""

    def __init__(self, n_classes: int = 2) -> None:
        self.n_classes = n_classes
        self.classes_ = np.arange(n_classes)

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Logits":  # noqa: N803  sklearn's name
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:  # noqa: N803  sklearn's name
        return X

    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803  sklearn's name
        return X.argmax(axis=1)


@pytest.mark.parametrize("n_classes", [3, 5])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_fit_agrees_with_scikit_learn(n_classes, temperature):
    logits, y_true = simulate(500, n_classes, temperature, seed=1)
    oracle = CalibratedClassifierCV(FrozenEstimator(Logits(n_classes)), method="temperature").fit(logits, y_true)
    scaling = fit_temperature(logits, y_true)
    # Loss is flat to second order at its minimum: the arguments agree to about the root of the machine precision.
    assert scaling.temperature == pytest.approx(1 / oracle.calibrated_classifiers_[0].calibrators[0].beta_, rel=1e-5)
    np.testing.assert_allclose(scaling.compute_probabilities(logits), oracle.predict_proba(logits), atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_fit_recovers_the_temperature_that_made_the_logits(temperature):
    logits, y_true = simulate(20_000, 4, temperature, seed=2)
    scaling = fit_temperature(logits, y_true)
    # The standard error of log temperature is about 1 / sqrt(n) here; .04 is more than five of them.
    assert scaling.temperature == pytest.approx(temperature, rel=0.04)
    assert (scaling.n_samples, scaling.is_capped) == (20_000, False)


def test_two_classes_three_right_of_four_give_the_hand_worked_temperature():
    # Margin 1 in every post and 3 of 4 right: sigmoid(1 / T) = 3/4, so T = 1 / log 3.
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert fit_temperature(logits, np.array([0, 0, 1, 0])).temperature == pytest.approx(1 / np.log(3), rel=1e-6)


def test_logits_that_look_like_probabilities_are_still_logits():
    logits = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8]])
    y_true = np.array([0, 1, 1, 0, 0])
    shifted = fit_temperature(logits + 5, y_true).temperature
    assert fit_temperature(logits, y_true).temperature == pytest.approx(shifted, rel=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 2))
def test_scaling_the_logits_scales_the_temperature(seed, factor):
    logits, y_true = simulate(200, 3, 1.0, seed)
    base = fit_temperature(logits, y_true).temperature
    assert fit_temperature(logits * factor, y_true).temperature == pytest.approx(base * factor, rel=1e-4)


def test_a_class_without_posts_is_allowed():
    logits, y_true = simulate(300, 5, 2.0, seed=3)
    keep = y_true != 4
    assert not fit_temperature(logits[keep], y_true[keep]).is_capped


def test_posts_all_classified_right_give_the_lower_bound_and_say_so():
    scaling = fit_temperature(np.eye(3)[[0, 1, 2, 0]] * 4, np.array([0, 1, 2, 0]))
    assert (scaling.temperature, scaling.is_capped) == (pytest.approx(MIN_TEMPERATURE), True)


def test_posts_all_classified_wrong_give_the_upper_bound_and_say_so():
    scaling = fit_temperature(np.eye(3)[[1, 2, 0, 1]] * 4, np.array([0, 1, 2, 0]))
    assert (scaling.temperature, scaling.is_capped) == (pytest.approx(MAX_TEMPERATURE), True)


def test_posts_of_one_class_are_refused():
    with pytest.raises(NotCalibratedError, match="at least two classes, found 1 in 10 posts"):
        fit_temperature(np.random.default_rng(0).normal(size=(10, 3)), np.ones(10, dtype=int))


def test_no_posts_are_refused():
    with pytest.raises(NotCalibratedError, match="found 0 in 0 posts"):
        fit_temperature(np.empty((0, 3)), np.empty(0, dtype=int))


def test_logits_without_information_are_refused():
    with pytest.raises(NotCalibratedError, match="differ between classes"):
        fit_temperature(np.ones((4, 3)), np.array([0, 1, 2, 0]))


@pytest.mark.parametrize(
    ("logits", "y_true", "expected"),
    [
        (np.zeros(3), np.zeros(3, dtype=int), "n_classes >= 2"),
        (np.zeros((3, 1)), np.zeros(3, dtype=int), "n_classes >= 2"),
        (np.array([[0.0, np.nan], [0.0, 1.0]]), np.array([0, 1]), "NaN or infinity in 1 of 2 posts"),
        (np.eye(2), np.array([0, 2]), r"in \[0, 2\), found 0 to 2"),
        (np.eye(2), np.array([-1, 0]), "found -1 to 0"),
        (np.eye(2), np.array([0.0, 1.0]), "integer class indices"),
        (np.eye(2), np.array([0]), r"shape \(1,\)"),
    ],
)
def test_wrong_shapes_types_and_values_are_refused(logits, y_true, expected):
    with pytest.raises(ValueError, match=expected):
        fit_temperature(logits, y_true)


@given(LOGITS, st.floats(MIN_TEMPERATURE, MAX_TEMPERATURE))
def test_probabilities_sum_to_one_and_keep_the_order_of_logits(logits, temperature):
    prob = TemperatureScaling(temperature=temperature, n_samples=1).compute_probabilities(logits.astype(np.float32))
    assert prob.dtype == np.float64
    np.testing.assert_allclose(prob.sum(axis=1), 1, atol=1e-12)
    order = np.argsort(logits.astype(np.float32), axis=1, kind="stable")
    assert (np.diff(np.take_along_axis(prob, order, axis=1), axis=1) >= 0).all()


def test_probabilities_become_uniform_as_temperature_grows():
    prob = TemperatureScaling(temperature=1e9, n_samples=1).compute_probabilities([[3.0, -4.0, 0.0]])
    np.testing.assert_allclose(prob, 1 / 3, atol=1e-8)


@given(st.floats(MIN_TEMPERATURE, MAX_TEMPERATURE))
def test_json_keeps_every_bit_of_the_temperature(temperature):
    scaling = TemperatureScaling(temperature=temperature, n_samples=7)
    assert TemperatureScaling.model_validate_json(scaling.model_dump_json()) == scaling


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_temperatures_are_refused(temperature):
    with pytest.raises(ValueError, match="temperature"):
        TemperatureScaling(temperature=temperature, n_samples=1)
