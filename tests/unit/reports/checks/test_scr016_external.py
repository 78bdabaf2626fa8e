"""SCR016: a promise that was tried nowhere else is only about posts like the calibration posts."""

import dataclasses

import pandas as pd
import pytest

from reports.checks.groups import check_external
from reports.results import RunResults


@pytest.fixture
def elsewhere(results: RunResults) -> pd.DataFrame:
    return results.test.assign(post_id="elsewhere-" + results.test["post_id"])


def test_no_other_posts_warn_with_the_next_step(results: RunResults) -> None:
    check = check_external(results)
    assert check.outcome == "warn"
    assert "data.external" in check.sentence


def test_posts_used_before_are_not_external(results: RunResults, elsewhere: pd.DataFrame) -> None:
    mixed = pd.concat([elsewhere, results.calibration.head(5)], ignore_index=True)
    check = check_external(dataclasses.replace(results, external=mixed))
    assert (check.outcome, check.sentence[0]) == ("fail", "5")


def test_recall_below_the_promise_beyond_chance_fails(results: RunResults, elsewhere: pd.DataFrame) -> None:
    shifted = elsewhere.assign(risk_any_risk=0.5 * elsewhere["risk_any_risk"])
    assert check_external(dataclasses.replace(results, external=shifted)).outcome == "fail"


def test_other_posts_without_positives_say_nothing(results: RunResults, elsewhere: pd.DataFrame) -> None:
    none = elsewhere[elsewhere["label"] == "offmychest"]
    assert check_external(dataclasses.replace(results, external=none)).outcome == "not_measured"


def test_other_posts_that_reach_the_promise_pass(results: RunResults, elsewhere: pd.DataFrame) -> None:
    assert check_external(dataclasses.replace(results, external=elsewhere)).outcome == "pass"
