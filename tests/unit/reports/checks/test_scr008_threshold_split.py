"""SCR008: no post that trained, scaled or chose may be among those numbers are reported on."""

import dataclasses
from typing import Any

import pytest

from reports.checks.splits import check_threshold_split
from reports.results import RunResults


def with_leakage(results: RunResults, leakage: dict[str, Any]) -> RunResults:
    return dataclasses.replace(results, data_card=results.data_card | {"leakage": leakage})


def test_calibration_posts_among_test_posts_fail_with_their_number(results: RunResults) -> None:
    check = check_threshold_split(dataclasses.replace(results, calibration=results.test.head(7)))
    assert check.outcome == "fail"
    assert "7 test posts are calibration posts" in check.sentence


def test_a_threshold_chosen_on_another_split_fails(results: RunResults) -> None:
    wrong = tuple(point.model_copy(update={"split": "test"}) for point in results.operating_points)
    assert check_threshold_split(dataclasses.replace(results, operating_points=wrong)).outcome == "fail"


@pytest.mark.parametrize("name", ["n_ids_in_two_splits", "n_exact_duplicates"])
def test_posts_of_train_or_validation_that_the_data_card_finds_elsewhere_fail(results: RunResults, name: str) -> None:
    check = check_threshold_split(with_leakage(results, results.data_card["leakage"] | {name: 2}))
    assert check.outcome == "fail"
    assert " 2 " in check.sentence


def test_a_card_that_does_not_say_is_noticed(results: RunResults) -> None:
    assert check_threshold_split(with_leakage(results, {})).outcome == "notice"


def test_no_threshold_is_no_case_for_the_check(results: RunResults) -> None:
    assert check_threshold_split(dataclasses.replace(results, operating_points=())).outcome == "not_applicable"


def test_splits_without_a_shared_post_pass(results: RunResults) -> None:
    assert check_threshold_split(results).outcome == "pass"
