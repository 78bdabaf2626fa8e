"""SCR007: numbers from generated posts mean nothing about people."""

import dataclasses

from reports.checks.splits import check_real_posts
from reports.results import RunResults


def test_generated_posts_fail(results: RunResults) -> None:
    card = results.data_card | {"is_synthetic": True}
    assert check_real_posts(dataclasses.replace(results, data_card=card)).outcome == "fail"


def test_posts_of_a_data_set_pass(results: RunResults) -> None:
    assert check_real_posts(results).outcome == "pass"
