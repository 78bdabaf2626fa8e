import numpy as np
import pytest

from screening.exceptions import NotCalibratedError
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.triage import assign_triage


def make_point(name: str, triage: str, threshold: float) -> OperatingPoint:
    return OperatingPoint(
        name=name, labels=(name,), triage=triage, target_recall=0.95, confidence_level=0.95, threshold=threshold,
        n_samples=100, n_positive=59, n_allowed_misses=0, recall_lower_bound=0.9505, confidence_achieved=0.9515,
    )  # fmt: skip


POINTS = (make_point("suicidewatch", "refer", 0.5), make_point("any_risk", "review", 0.4))
SCORES = {"suicidewatch": np.array([0.9, 0.1, 0.1, 0.5]), "any_risk": np.array([0.9, 0.9, 0.1, 0.0])}


@pytest.mark.parametrize("points", [POINTS, POINTS[::-1]])
def test_the_most_urgent_level_wins_in_any_order(points):
    assert assign_triage(SCORES, points) == ["refer", "review", "no_flag", "refer"]


def test_no_posts_give_no_levels():
    empty = np.array([], dtype=float)
    assert assign_triage({"suicidewatch": empty, "any_risk": empty}, POINTS) == []


@pytest.mark.parametrize(
    "points", [(), POINTS[:1], (*POINTS, make_point("bipolar", "review", 0.1)), (POINTS[0], POINTS[0])]
)
def test_targets_without_exactly_one_operating_point_are_refused(points):
    with pytest.raises(NotCalibratedError, match="exactly one operating point per scored target"):
        assign_triage(SCORES, points)


def test_different_numbers_of_posts_are_refused():
    with pytest.raises(ValueError, match=r"'any_risk': 3"):
        assign_triage(SCORES | {"any_risk": np.zeros(3)}, POINTS)


def test_a_nan_score_is_refused_rather_than_not_flagged():
    with pytest.raises(ValueError, match="NaN"):
        assign_triage(SCORES | {"any_risk": np.array([0.1, np.nan, 0.2, 0.3])}, POINTS)
