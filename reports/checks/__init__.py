"""Numbered checks: what a reader should know before believing a number.

Every check looks at one run and gives one outcome with one sentence. A check never stops a run; ``fail`` means that a
number on the page cannot be used the way it reads. The list of all codes is in ``docs/checks.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.check import SYMBOLS, Check
from reports.checks.budget import check_budget
from reports.checks.explanations import check_faithfulness, check_random_models, check_reliability
from reports.checks.groups import check_external, check_group_sizes, check_robustness
from reports.checks.probabilities import check_calibration_gain, check_precision
from reports.checks.promise import (
    check_calibration_positives,
    check_independent_draws,
    check_promise_on_test,
    check_promises_together,
    check_recall_bound,
)
from reports.checks.splits import (
    check_authors_apart,
    check_near_duplicates,
    check_real_posts,
    check_threshold_split,
    check_truncation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reports.results import RunResults

__all__ = ["CHECKS", "SYMBOLS", "Check", "run_checks", "summarise_checks"]

CHECKS: tuple[Callable[[RunResults], Check], ...] = (
    check_authors_apart,
    check_near_duplicates,
    check_calibration_positives,
    check_promise_on_test,
    check_calibration_gain,
    check_group_sizes,
    check_real_posts,
    check_threshold_split,
    check_truncation,
    check_recall_bound,
    check_faithfulness,
    check_precision,
    check_promises_together,
    check_robustness,
    check_reliability,
    check_external,
    check_budget,
    check_independent_draws,
    check_random_models,
)


def run_checks(results: RunResults) -> tuple[Check, ...]:
    """Run every check; failures first, then by number."""
    checks = [check(results) for check in CHECKS]
    order = list(SYMBOLS)
    return tuple(sorted(checks, key=lambda check: (order.index(check.outcome), check.code)))


def summarise_checks(checks: tuple[Check, ...]) -> str:
    """Say in one sentence how many checks came out how."""
    counts = {outcome: sum(check.outcome == outcome for check in checks) for outcome in SYMBOLS}
    words = [f"{n} {outcome.replace('_', ' ')}" for outcome, n in counts.items() if n]
    return f"{len(checks)} checks: {', '.join(words)}. Failures come first."
