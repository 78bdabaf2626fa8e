"""SCR013: two promises at 95 % each hold together with 90 %, unless they share their confidence."""

import dataclasses

from reports.checks.promise import check_promises_together
from reports.results import RunResults


def test_promises_made_each_alone_are_noticed_with_their_joint_confidence(results: RunResults) -> None:
    check = check_promises_together(results)
    assert check.outcome == "notice"
    assert "2 promises; all hold together with a confidence of at least 0.9 " in check.sentence


def test_alternatives_count_as_promises(results: RunResults) -> None:
    made = dataclasses.replace(results, alternatives=results.operating_points)
    assert "4 promises; all hold together with a confidence of at least 0.8 " in check_promises_together(made).sentence


def test_one_promise_is_no_case_for_the_check(results: RunResults) -> None:
    made = dataclasses.replace(results, operating_points=results.operating_points[:1])
    assert check_promises_together(made).outcome == "not_applicable"


def test_promises_that_share_a_confidence_pass(results: RunResults) -> None:
    shared = tuple(point.model_copy(update={"n_promises": 2}) for point in results.operating_points)
    check = check_promises_together(dataclasses.replace(results, operating_points=shared))
    assert check.outcome == "pass"
    assert "at least 0.95" in check.sentence
