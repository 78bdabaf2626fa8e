"""Everything a configuration promises, from one calibration set: points, alternatives, alert budgets, abstention."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from screening.config import CalibrationConfig
from screening.exceptions import RecallNotReachableError
from screening.metrics.validation import BoolArray, FloatArray
from screening.taxonomy import RiskTarget
from screening.thresholds.abstention import AbstentionBand, fit_abstention_band
from screening.thresholds.budget import BudgetAssessment, assess_budget
from screening.thresholds.fitting import FittedPoints, fit_operating_points
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.scope import PromiseScope

Case = tuple[FloatArray, BoolArray]


class Promises(FittedPoints):
    """Operating points and alternatives, whether each stays within the alert budget, and abstention bands.

    ``budgets`` and ``bands`` follow ``operating_points``, ``alternative_budgets`` follow ``alternatives``; each is
    empty unless asked for.
    """

    budgets: tuple[BudgetAssessment, ...] = ()
    alternative_budgets: tuple[BudgetAssessment, ...] = ()
    bands: tuple[AbstentionBand, ...] = ()


def fit_promises(
    targets: Sequence[RiskTarget],
    risks: Mapping[str, FloatArray],
    labels: npt.ArrayLike,
    config: CalibrationConfig,
    *,
    scope: PromiseScope | None = None,
    score_tolerance: float = 0.0,
) -> Promises:
    """Fit operating points, then judge their alert budgets and fit their abstention bands.

    Parameters
    ----------
    targets, risks, labels, config, scope, score_tolerance
        See :func:`~screening.thresholds.fitting.fit_operating_points`.

    Raises
    ------
    RecallNotReachableError
        If any promise has too few posts; every recall promise that fails is named. A budget that fails is a result,
        see :func:`require_budget`.
    """
    points = fit_operating_points(targets, risks, labels, config, scope=scope, score_tolerance=score_tolerance)
    names = np.asarray(labels, dtype=object)
    cases = {target.name: (risks[target.name], np.isin(names, target.labels)) for target in targets}
    shared: dict[str, Any] = {
        "n_promises": len(targets) if config.is_family_wise else 1,
        "scope": scope,
        "score_tolerance": score_tolerance,
    }
    return Promises(
        **dict(points),
        budgets=_assess_budgets(points.operating_points, cases, config, shared),
        alternative_budgets=_assess_budgets(points.alternatives, cases, config, shared),
        bands=_fit_bands(points.operating_points, cases, config, shared),
    )


def _assess_budgets(
    points: Sequence[OperatingPoint], cases: Mapping[str, Case], config: CalibrationConfig, shared: dict[str, Any]
) -> tuple[BudgetAssessment, ...]:
    budget, prevalence = config.max_alerts_per_1000, config.budget_prevalence
    if budget is None or prevalence is None:
        return ()
    return tuple(
        assess_budget(point, *cases[point.name], max_alerts_per_1000=budget, prevalence=prevalence, **shared)
        for point in points
    )


def _fit_bands(
    points: Sequence[OperatingPoint], cases: Mapping[str, Case], config: CalibrationConfig, shared: dict[str, Any]
) -> tuple[AbstentionBand, ...]:
    rate = config.abstention_false_alarm_rate
    if rate is None:
        return ()
    return tuple(
        fit_abstention_band(point, *cases[point.name], max_false_alarm_rate=rate, **shared) for point in points
    )


def require_budget(promises: Promises) -> None:
    """Refuse if an operating point exceeds the alert budget; alternatives may.

    Raises
    ------
    RecallNotReachableError
        The message says for each failing point which of recall and budget fails, by how much, and what would fit.
    """
    failing = [budget for budget in promises.budgets if not budget.fits]
    if not failing:
        return
    fitting = [budget for budget in promises.alternative_budgets if budget.fits]
    offered = "; ".join(f"{budget.name} at recall {budget.target_recall:.6g}" for budget in fitting)
    lines = [str(budget) for budget in failing]
    if offered:
        lines.append(f"of the other recalls, these stay within the budget: {offered}")
    lines.append("choose a lower calibration.target_recall, a higher calibration.max_alerts_per_1000 or a better model")
    raise RecallNotReachableError("\n".join(lines))
