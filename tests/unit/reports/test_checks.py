"""Every check, on a run that must not pass first, then on one that must."""

import dataclasses

import pandas as pd

from reports.checks import (
    CHECKS,
    check_authors_apart,
    check_calibration_gain,
    check_calibration_positives,
    check_group_sizes,
    check_near_duplicates,
    check_promise_on_test,
    check_real_posts,
    check_threshold_split,
    check_truncation,
    run_checks,
)
from reports.results import RunResults
from screening.calibration.temperature import TemperatureScaling


def change_leakage(results: RunResults, **counts: int | None) -> RunResults:
    card = results.data_card | {"leakage": results.data_card["leakage"] | counts}
    return dataclasses.replace(results, data_card=card)


def test_author_in_two_splits_fails(results: RunResults) -> None:
    check = check_authors_apart(change_leakage(results, n_authors_in_two_splits=3))
    assert (check.outcome, check.sentence[0]) == ("fail", "3")
    assert check_authors_apart(change_leakage(results, n_authors_in_two_splits=None)).outcome == "not_applicable"
    assert check_authors_apart(dataclasses.replace(results, data_card={})).outcome == "not_measured"
    assert check_authors_apart(results).outcome == "pass"


def test_near_duplicate_across_splits_fails(results: RunResults) -> None:
    assert check_near_duplicates(change_leakage(results, n_near_duplicates=1)).outcome == "fail"
    assert check_near_duplicates(dataclasses.replace(results, data_card={})).outcome == "not_measured"
    assert check_near_duplicates(results).outcome == "pass"


def test_too_few_calibration_positives_fail(results: RunResults) -> None:
    short = results.operating_points[0].model_copy(update={"n_positive": 58})
    check = check_calibration_positives(dataclasses.replace(results, operating_points=(short,)))
    assert check.outcome == "fail"
    assert "58 (needs 59)" in check.sentence
    assert check_calibration_positives(dataclasses.replace(results, operating_points=())).outcome == "fail"
    assert check_calibration_positives(results).outcome == "pass"


def test_test_recall_below_the_promise_beyond_chance_fails(results: RunResults) -> None:
    strict = tuple(point.model_copy(update={"threshold": 0.97}) for point in results.operating_points)
    assert check_promise_on_test(dataclasses.replace(results, operating_points=strict)).outcome == "fail"


def test_test_recall_a_little_below_the_promise_warns_only(results: RunResults) -> None:
    positives = results.test["label"] != "offmychest"
    threshold = float(results.test.loc[positives, "risk_any_risk"].sort_values().iloc[int(0.055 * positives.sum())])
    point = results.point_by_target["any_risk"].model_copy(update={"threshold": threshold})
    assert check_promise_on_test(dataclasses.replace(results, operating_points=(point,))).outcome == "warn"


def test_test_recall_at_the_promise_passes(results: RunResults) -> None:
    assert check_promise_on_test(results).outcome == "pass"


def test_calibration_that_got_worse_warns(results: RunResults) -> None:
    wrong = TemperatureScaling(temperature=0.3, n_samples=10)  # the made scores were scaled back by 1.6 already
    columns = [f"prob_{name}" for name in results.taxonomy.names]
    sharper = results.test[columns].to_numpy() ** 3
    sharper /= sharper.sum(axis=1, keepdims=True)
    test = results.test.assign(**dict(zip(columns, sharper.T, strict=True)))
    assert check_calibration_gain(dataclasses.replace(results, test=test, temperature=wrong)).outcome == "warn"
    assert check_calibration_gain(dataclasses.replace(results, temperature=None)).outcome == "not_applicable"
    assert check_calibration_gain(results).outcome == "pass"


def test_group_too_small_warns(results: RunResults) -> None:
    assert check_group_sizes(results).outcome == "warn"
    large = pd.concat([results.test] * 40, ignore_index=True)
    assert check_group_sizes(dataclasses.replace(results, test=large)).outcome == "pass"


def test_synthetic_posts_fail(results: RunResults) -> None:
    card = results.data_card | {"is_synthetic": True}
    assert check_real_posts(dataclasses.replace(results, data_card=card)).outcome == "fail"
    assert check_real_posts(results).outcome == "pass"


def test_threshold_chosen_on_posts_it_is_reported_on_fails(results: RunResults) -> None:
    assert check_threshold_split(dataclasses.replace(results, calibration=results.test)).outcome == "fail"
    wrong = tuple(point.model_copy(update={"split": "test"}) for point in results.operating_points)
    assert check_threshold_split(dataclasses.replace(results, operating_points=wrong)).outcome == "fail"
    assert check_threshold_split(results).outcome == "pass"


def test_many_cut_posts_warn(results: RunResults) -> None:
    assert check_truncation(dataclasses.replace(results, test=results.test.assign(is_truncated=True))).outcome == "warn"
    assert check_truncation(results).outcome == "notice"
    whole = results.test.assign(is_truncated=False)
    assert check_truncation(dataclasses.replace(results, test=whole)).outcome == "pass"


def test_checks_are_numbered_once_and_failures_come_first(results: RunResults) -> None:
    card = results.data_card | {"is_synthetic": True}
    checks = run_checks(dataclasses.replace(results, data_card=card))
    assert sorted(check.code for check in checks) == [f"SCR{i:03d}" for i in range(1, len(CHECKS) + 1)]
    assert checks[0].code == "SCR007"
    assert all(check.sentence.endswith(".") for check in checks)
