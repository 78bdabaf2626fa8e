"""SCR002: a post that was nearly seen in training makes test numbers too good."""

import dataclasses

from reports.checks.splits import check_near_duplicates
from reports.results import RunResults


def test_one_near_duplicate_in_another_split_fails(results: RunResults) -> None:
    leakage = results.data_card["leakage"] | {"n_near_duplicates": 1}
    leaky = dataclasses.replace(results, data_card=results.data_card | {"leakage": leakage})
    assert check_near_duplicates(leaky).outcome == "fail"


def test_a_card_that_does_not_say_leaves_it_open(results: RunResults) -> None:
    assert check_near_duplicates(dataclasses.replace(results, data_card={})).outcome == "not_measured"


def test_no_near_duplicate_passes(results: RunResults) -> None:
    assert check_near_duplicates(results).outcome == "pass"
