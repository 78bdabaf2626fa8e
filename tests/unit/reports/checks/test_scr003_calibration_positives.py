"""SCR003: 59 positives carry 95 % recall at 95 % confidence, 58 do not; two promises together need 72."""

import dataclasses

import pytest

from reports.checks.promise import check_calibration_positives
from reports.results import RunResults
from screening.thresholds.recall_control import compute_required_positives


def test_one_positive_too_few_fails_with_both_numbers(results: RunResults) -> None:
    short = results.operating_points[0].model_copy(update={"n_positive": 58})
    check = check_calibration_positives(dataclasses.replace(results, operating_points=(short,)))
    assert check.outcome == "fail"
    assert "58 (needs 59)" in check.sentence


def test_no_operating_point_fails(results: RunResults) -> None:
    assert check_calibration_positives(dataclasses.replace(results, operating_points=())).outcome == "fail"


def test_promises_that_share_a_confidence_need_more_positives(results: RunResults) -> None:
    shared = results.operating_points[0].model_copy(update={"n_positive": 59, "n_promises": 2})
    assert shared.confidence_each == pytest.approx(0.975)
    check = check_calibration_positives(dataclasses.replace(results, operating_points=(shared,)))
    assert check.outcome == "fail"
    assert 0.95**71 > 0.025 >= 0.95**72  # none missed: the least n with target^n <= 1 - confidence
    assert f"needs {compute_required_positives(0.95, 0.975)}" in check.sentence
    assert "needs 72" in check.sentence


def test_enough_positives_pass(results: RunResults) -> None:
    assert check_calibration_positives(results).outcome == "pass"
