"""SCR001: an author who stands in two splits makes test numbers too good."""

import dataclasses

from reports.checks.splits import check_authors_apart
from reports.results import RunResults


def with_shared_authors(results: RunResults, n_shared: int | None) -> RunResults:
    leakage = results.data_card["leakage"] | {"n_authors_in_two_splits": n_shared}
    return dataclasses.replace(results, data_card=results.data_card | {"leakage": leakage})


def test_an_author_in_two_splits_fails_with_the_number(results: RunResults) -> None:
    check = check_authors_apart(with_shared_authors(results, 3))
    assert (check.outcome, check.sentence[0]) == ("fail", "3")


def test_data_without_authors_leave_it_open(results: RunResults) -> None:
    assert check_authors_apart(with_shared_authors(results, None)).outcome == "not_measured"


def test_a_card_that_does_not_say_leaves_it_open(results: RunResults) -> None:
    assert check_authors_apart(dataclasses.replace(results, data_card={})).outcome == "not_measured"


def test_authors_kept_apart_pass(results: RunResults) -> None:
    assert check_authors_apart(results).outcome == "pass"
