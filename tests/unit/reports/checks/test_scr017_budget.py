"""SCR017: a promise that asks for more reading than there are readers for is not kept for long."""

import dataclasses
from typing import Any

from reports.checks.budget import check_budget
from reports.results import RunResults
from screening.thresholds.budget import BudgetAssessment


def make_budget(alerts: float, **fields: Any) -> BudgetAssessment:
    made: dict[str, Any] = {
        "name": "any_risk", "target_recall": 0.95, "max_alerts_per_1000": 200, "prevalence": 0.01,
        "alerts_upper_bound": alerts, "confidence_level": 0.95, "joint_confidence_level": 0.9, "fits": alerts <= 200,
        "excess_per_1000": max(alerts - 200, 0), "n_negative": 400, "n_false_alarms": 90,
    }  # fmt: skip
    return BudgetAssessment(**made | fields)


def test_one_target_over_the_budget_fails_with_the_excess_and_only_that_target(results: RunResults) -> None:
    budgets = (make_budget(231), make_budget(120, name="suicidewatch"))
    check = check_budget(dataclasses.replace(results, budgets=budgets))
    assert check.outcome == "fail"
    assert "fails by 31" in check.sentence
    assert "suicidewatch" not in check.sentence


def test_no_budget_is_no_case_for_the_check(results: RunResults) -> None:
    assert check_budget(results).outcome == "not_applicable"


def test_a_budget_that_is_kept_passes(results: RunResults) -> None:
    assert check_budget(dataclasses.replace(results, budgets=(make_budget(199),))).outcome == "pass"
