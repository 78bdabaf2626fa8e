"""SCR005: temperature scaling that raises the calibration error is worse than none."""

import dataclasses

from reports.checks.probabilities import check_calibration_gain
from reports.results import RunResults
from screening.calibration.temperature import TemperatureScaling


def test_probabilities_sharpened_by_calibration_warn(results: RunResults) -> None:
    wrong = TemperatureScaling(temperature=0.3, n_samples=10)  # the made scores were scaled back by 1.6 already
    columns = [f"prob_{name}" for name in results.taxonomy.names]
    sharper = results.test[columns].to_numpy() ** 3
    sharper /= sharper.sum(axis=1, keepdims=True)
    test = results.test.assign(**dict(zip(columns, sharper.T, strict=True)))
    check = check_calibration_gain(dataclasses.replace(results, test=test, temperature=wrong))
    assert check.outcome == "warn"
    assert "most probable class" in check.sentence


def test_unscaled_probabilities_are_no_case_for_the_check(results: RunResults) -> None:
    assert check_calibration_gain(dataclasses.replace(results, temperature=None)).outcome == "not_applicable"


def test_a_temperature_that_undoes_overconfidence_passes(results: RunResults) -> None:
    assert check_calibration_gain(results).outcome == "pass"
