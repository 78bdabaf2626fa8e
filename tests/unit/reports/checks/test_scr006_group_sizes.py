"""SCR006: a group of fewer than ten positives is named and not shown."""

import dataclasses

import pandas as pd

from reports.checks.groups import check_group_sizes
from reports.results import RunResults


def test_a_group_too_small_warns(results: RunResults) -> None:
    assert check_group_sizes(results).outcome == "warn"  # the community "rare" holds 1.5 % of 800 posts


def test_no_groups_are_no_case_for_the_check(results: RunResults) -> None:
    assert check_group_sizes(dataclasses.replace(results, operating_points=())).outcome == "not_applicable"


def test_large_groups_pass(results: RunResults) -> None:
    large = pd.concat([results.test] * 40, ignore_index=True)
    assert check_group_sizes(dataclasses.replace(results, test=large)).outcome == "pass"
