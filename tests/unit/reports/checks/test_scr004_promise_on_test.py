"""SCR004: test recall whose whole interval is below the promise contradicts it; below by chance only warns."""

import dataclasses

from reports.checks.promise import check_promise_on_test
from reports.results import RunResults


def test_recall_below_the_promise_beyond_chance_fails(results: RunResults) -> None:
    strict = tuple(point.model_copy(update={"threshold": 0.97}) for point in results.operating_points)
    assert check_promise_on_test(dataclasses.replace(results, operating_points=strict)).outcome == "fail"


def test_recall_a_little_below_the_promise_warns_only(results: RunResults) -> None:
    positives = results.test["label"] != "offmychest"
    threshold = float(results.test.loc[positives, "risk_any_risk"].sort_values().iloc[int(0.055 * positives.sum())])
    point = results.point_by_target["any_risk"].model_copy(update={"threshold": threshold})
    assert check_promise_on_test(dataclasses.replace(results, operating_points=(point,))).outcome == "warn"


def test_a_test_split_without_positives_says_nothing(results: RunResults) -> None:
    none = results.test[results.test["label"] == "offmychest"]
    assert check_promise_on_test(dataclasses.replace(results, test=none)).outcome == "not_measured"


def test_without_operating_points_there_is_nothing_to_contradict(results: RunResults) -> None:
    assert check_promise_on_test(dataclasses.replace(results, operating_points=())).outcome == "not_applicable"


def test_recall_at_the_promise_passes(results: RunResults) -> None:
    assert check_promise_on_test(results).outcome == "pass"
