"""The same promise by MAPIE's fixed-sequence testing over a fine grid: kept as well, with no fewer alerts than ours."""

import numpy as np
import pytest
from scipy.stats import norm

from screening.thresholds.recall_control import select_threshold

risk_control = pytest.importorskip("mapie.risk_control")

pytestmark = pytest.mark.statistical

N_REPEATS, N_POSITIVE, N_NEGATIVE = 400, 200, 200
GRID = np.linspace(0, 0.999, 500)


def select_by_mapie(y_score: np.ndarray, y_true: np.ndarray) -> float:
    """The highest of the thresholds that the controller calls valid: no other of them raises fewer alerts."""
    controller = risk_control.BinaryClassificationController(
        lambda scores: np.c_[1 - scores[:, 0], scores[:, 0]],
        "recall",
        0.95,
        confidence_level=0.95,
        fwer_method="fixed_sequence",
        list_predict_params=GRID,
    )
    controller.calibrate(y_score[:, None], y_true.astype(int))
    return float(np.max(controller.valid_predict_params))


@pytest.fixture(scope="module")
def thresholds() -> np.ndarray:
    """Ours and MAPIE's on the same calibrations, shape (n_repeats, 2)."""
    rng = np.random.default_rng(0)
    y_true = np.arange(N_POSITIVE + N_NEGATIVE) < N_POSITIVE
    found = []
    for _ in range(N_REPEATS):
        y_score = norm.cdf(np.r_[rng.normal(1, 1, N_POSITIVE), rng.normal(-1, 1, N_NEGATIVE)])
        ours = select_threshold(y_score, y_true, target_recall=0.95, confidence_level=0.95).threshold
        found.append((ours, select_by_mapie(y_score, y_true)))
    return np.array(found)


def test_both_keep_the_promise(thresholds):
    broken = (norm.sf(norm.ppf(thresholds), loc=1) < 0.95).mean(axis=0)
    # three standard deviations at .05 over 400 repeats
    assert (broken <= 0.05 + 3 * (0.05 * 0.95 / N_REPEATS) ** 0.5).all()


def test_ours_raises_no_more_alerts(thresholds):
    false_alarms = norm.sf(norm.ppf(thresholds), loc=-1).mean(axis=0)
    assert false_alarms[0] <= false_alarms[1]
    step = GRID[1] - GRID[0]
    assert (thresholds[:, 0] >= thresholds[:, 1] - step).mean() > 0.99  # the grid hides differences below one step
