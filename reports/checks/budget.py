"""Checks of the reading a promise costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.check import Check, CheckKind

if TYPE_CHECKING:
    from reports.results import RunResults

BUDGET = CheckKind(code="SCR017", title="Alert budget met", severity="major")


def check_budget(results: RunResults) -> Check:
    """SCR017: every operating point stays within the alert budget, where one was set."""
    if not results.budgets:
        return BUDGET.conclude("not_applicable", "No alert budget was set (calibration.max_alerts_per_1000).")
    over = [str(budget) for budget in results.budgets if not budget.fits]
    if over:
        return BUDGET.conclude("fail", f"The alert budget is not met: {'; '.join(over)}.")
    return BUDGET.conclude("pass", f"The alert budget is met: {'; '.join(map(str, results.budgets))}.")
