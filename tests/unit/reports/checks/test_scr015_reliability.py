"""SCR015: explanations whose weights do not add up to the change of score are not to be shown as if they did."""

import dataclasses

from reports.checks.explanations import check_reliability
from reports.results import RunResults


def test_too_many_explanations_that_do_not_add_up_warn_with_the_share(results: RunResults) -> None:
    check = check_reliability(results)  # every eighth of forty is unreliable
    assert check.outcome == "warn"
    assert "87.5% of 40" in check.sentence


def test_no_explanation_at_all_adding_up_warns(results: RunResults) -> None:
    assert results.explanations is not None
    none = results.explanations.assign(is_reliable=False)
    check = check_reliability(dataclasses.replace(results, explanations=none))
    assert check.outcome == "warn"
    assert "0.0% of 40" in check.sentence


def test_a_run_that_explained_nothing_leaves_it_open(results: RunResults) -> None:
    assert check_reliability(dataclasses.replace(results, explanations=None)).outcome == "not_measured"


def test_explanations_that_add_up_pass(results: RunResults) -> None:
    assert results.explanations is not None
    whole = results.explanations.assign(is_reliable=True)
    assert check_reliability(dataclasses.replace(results, explanations=whole)).outcome == "pass"
