"""SCR014: a change that keeps the meaning and costs more than five points of recall warns."""

import dataclasses

import pandas as pd
import pytest

from reports.checks.groups import check_robustness
from reports.results import RunResults

TARGET = "suicidewatch"


def with_lost_flags(results: RunResults, perturbation: str, n_lost: int) -> RunResults:
    """Let so many of the most urgent target's flagged posts fall to a score of 0; another change does nothing."""
    positives = results.test[results.test["label"] == TARGET]
    same = positives[["post_id", "label", f"risk_{TARGET}"]]
    changed = same.copy()
    flagged = positives.index[positives[f"risk_{TARGET}"] >= results.point_by_target[TARGET].threshold]
    changed.loc[flagged[:n_lost], f"risk_{TARGET}"] = 0.0
    tables = [changed.assign(perturbation=perturbation), same.assign(perturbation="third_person")]
    return dataclasses.replace(results, robustness=pd.concat(tables, ignore_index=True))


@pytest.fixture(scope="module")
def n_positive(results: RunResults) -> int:
    return int((results.test["label"] == TARGET).sum())


def test_typos_that_lose_more_than_five_points_of_recall_warn_with_counts(results: RunResults, n_positive: int) -> None:
    n_lost = n_positive // 20 + 1
    check = check_robustness(with_lost_flags(results, "typos", n_lost))
    assert check.outcome == "warn"
    assert f"typos {n_lost} flags lost, 0 gained, of {n_positive}" in check.sentence
    assert "third person" not in check.sentence


def test_flags_lost_to_another_meaning_are_only_noticed(results: RunResults, n_positive: int) -> None:
    check = check_robustness(with_lost_flags(results, "negation_inserted", n_positive // 2))
    assert check.outcome == "notice"
    assert "negation inserted" in check.sentence


def test_not_measured_is_said(results: RunResults) -> None:
    assert check_robustness(results).outcome == "not_measured"


def test_without_operating_points_there_is_no_recall_to_lose(results: RunResults) -> None:
    assert check_robustness(dataclasses.replace(results, operating_points=())).outcome == "not_applicable"


def test_typos_that_lose_at_most_five_points_pass(results: RunResults, n_positive: int) -> None:
    assert check_robustness(with_lost_flags(results, "typos", n_positive // 20)).outcome == "pass"
