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
    lines.append(
        "raise calibration.max_alerts_per_1000, which leaves the recall promise as it is; a lower "
        "calibration.target_recall or another model is another try"
    )
    point = promises.operating_points[0]
    lines.append(describe_second_try(point.confidence_level))
    raise RecallNotReachableError("\n".join(lines))


def describe_second_try(confidence_level: float) -> str:
    """Say what calibrating again on the same calibration posts costs after a refusal.

    Parameters
    ----------
    confidence_level : float
        In (0, 1), of the refused try.

    Notes
    -----
    A promise holds if a refusal is final. Where other settings are tried after it, the posts that were refused have
    already been looked at: a broken promise is accepted in the first try or in the second, so the risks of both add up
    (union bound).

    Examples
    --------
    >>> describe_second_try(0.95).split(". ")[0]
    'a second try on the same calibration posts spends confidence: both together hold with 0.9, not 0.95'
    """
    each = 1 - (1 - confidence_level) / 2
    return (
        "a second try on the same calibration posts spends confidence: both together hold with "
        f"{2 * confidence_level - 1:.6g}, not {confidence_level:.6g}. Take calibration posts that were not tried yet; "
        f"or, if a second try is planned before the first, make both at calibration.confidence_level {each:.6g}. With "
        f"{each:.6g} for the second alone, both hold with {confidence_level + each - 1:.6g}"
    )
