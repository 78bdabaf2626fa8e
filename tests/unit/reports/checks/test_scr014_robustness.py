"""SCR014: a change of the text that costs more than five points of recall warns."""

import dataclasses

import pandas as pd

from reports.checks.groups import check_robustness
from reports.results import RunResults


def with_lost_positives(results: RunResults, share: float) -> RunResults:
    """Let a share of the positives that are found fall to a score of 0 when their text is changed."""
    positives = results.test[results.test["label"] != "offmychest"]
    risks = [f"risk_{target.name}" for target in results.targets]
    changed = positives[["post_id", "label", *risks]].assign(perturbation="typos")
    flagged = positives["risk_any_risk"] >= results.point_by_target["any_risk"].threshold
    lost = positives.index[flagged][: round(share * len(positives))]
    changed.loc[lost, "risk_any_risk"] = 0.0
    same = positives[["post_id", "label", *risks]].assign(perturbation="quotes")
    return dataclasses.replace(results, robustness=pd.concat([changed, same], ignore_index=True))


def test_a_change_that_loses_six_points_of_recall_warns_with_counts(results: RunResults) -> None:
    made = with_lost_positives(results, 0.06)
    check = check_robustness(made)
    assert check.outcome == "warn"
    positives = made.test[made.test["label"] != "offmychest"]
    before = int((positives["risk_any_risk"] >= made.point_by_target["any_risk"].threshold).sum())
    n_lost = round(0.06 * len(positives))
    assert f"typos any_risk {before} found before and {before - n_lost} after, of {len(positives)}" in check.sentence
    assert "more than 5 points" in check.sentence
    assert "quotes" not in check.sentence


def test_not_measured_is_said(results: RunResults) -> None:
    assert check_robustness(results).outcome == "not_measured"


def test_without_operating_points_there_is_no_recall_to_lose(results: RunResults) -> None:
    assert check_robustness(dataclasses.replace(results, operating_points=())).outcome == "not_applicable"


def test_changes_that_lose_four_points_pass(results: RunResults) -> None:
    assert check_robustness(with_lost_positives(results, 0.04)).outcome == "pass"
