"""The promise of a cascade, by repeated calibration: both stages calibrated together, and the naive way.

A positive has a gate score and an encoder score, both normal and correlated, so that the true recall of a gate
threshold and an encoder threshold together is an exact bivariate normal probability. The gate threshold is fixed
beforehand and loses 2 % of positives. Tolerance as in :mod:`tests.statistical.test_recall_promise`.

Second tries: the first stage loses just more than is allowed, and is switched off where calibrating refuses it. The two
scores are then independent and uniform.
"""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from screening.exceptions import RecallNotReachableError
from screening.thresholds.cascade import combine_risks
from screening.thresholds.recall_control import select_threshold

pytestmark = pytest.mark.statistical

TARGET_RECALL, CONFIDENCE_LEVEL = 0.95, 0.95
N_REPEATS = 2_000
ALLOWED = 1 - CONFIDENCE_LEVEL
TOLERANCE = 3 * (ALLOWED * (1 - ALLOWED) / N_REPEATS) ** 0.5
CORRELATION = 0.3
GATE_LOSS = 0.02
GATE_THRESHOLD = float(norm.ppf(GATE_LOSS))
BOTH = multivariate_normal(mean=[0, 0], cov=[[1, CORRELATION], [CORRELATION, 1]])


def compute_true_recall(threshold: float) -> float:
    """P(gate score and encoder score reach their thresholds); by symmetry a bivariate distribution function."""
    if threshold <= 0:
        return 1.0  # flags what nobody read: refused by the toolkit, counted as kept here
    return float(BOTH.cdf([-GATE_THRESHOLD, -norm.ppf(threshold)]))


def measure_violations(n_positive: int, *, is_joint: bool) -> float:
    """Share of repeats whose true recall is below target."""
    rng = np.random.default_rng([n_positive, is_joint])
    true = np.ones(n_positive, dtype=bool)
    violations = 0
    for _ in range(N_REPEATS):
        gate, encoder = rng.multivariate_normal([0, 0], BOTH.cov, n_positive).T
        is_read = gate >= GATE_THRESHOLD if is_joint else true
        scores = combine_risks({"risk": norm.cdf(encoder)}, is_read)["risk"]
        try:
            found = select_threshold(scores, true, target_recall=TARGET_RECALL, confidence_level=CONFIDENCE_LEVEL)
        except RecallNotReachableError:
            continue
        violations += compute_true_recall(found.threshold) < TARGET_RECALL
    return violations / N_REPEATS


@pytest.mark.parametrize("n_positive", [100, 400])
def test_a_cascade_calibrated_as_a_whole_keeps_its_promise(n_positive: int) -> None:
    assert measure_violations(n_positive, is_joint=True) <= ALLOWED + TOLERANCE


@pytest.mark.parametrize("n_positive", [100, 400])
def test_a_gate_put_in_front_of_a_calibrated_encoder_breaks_it(n_positive: int) -> None:
    assert measure_violations(n_positive, is_joint=False) > 2 * (ALLOWED + TOLERANCE)


def measure_violations_of_two_tries(n_positive: int, *, confidence_level: float) -> float:
    """Share of repeats accepted with too low a recall, the encoder alone being tried where the cascade is refused."""
    rng = np.random.default_rng(n_positive)
    true = np.ones(n_positive, dtype=bool)
    violations = 0
    for _ in range(N_REPEATS):
        gate, encoder = rng.random((2, n_positive))
        for loss in (1 - TARGET_RECALL + 1e-4, 0.0):
            scores = combine_risks({"risk": encoder}, gate >= loss)["risk"]
            found = select_threshold(scores, true, target_recall=TARGET_RECALL, confidence_level=confidence_level)
            if found.threshold > 0:
                violations += (1 - loss) * (1 - found.threshold) < TARGET_RECALL
                break
    return violations / N_REPEATS


def test_a_second_try_after_a_refusal_breaks_the_promise_unless_both_are_made_at_half_the_risk() -> None:
    assert measure_violations_of_two_tries(400, confidence_level=CONFIDENCE_LEVEL) > ALLOWED + TOLERANCE
    assert measure_violations_of_two_tries(400, confidence_level=1 - ALLOWED / 2) <= ALLOWED + TOLERANCE
