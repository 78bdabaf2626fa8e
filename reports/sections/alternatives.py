"""What else the calibration posts allow: promises by group, other recalls, alert budgets, abstention bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.estimates import spread_estimate
from reports.page import Section
from reports.results import RunResults, binarize_labels, extract_scores
from reports.sections.thresholds import describe_point, describe_sharing
from reports.tables import Column, Table, format_prose
from screening.metrics.intervals import estimate_proportion
from screening.metrics.operating import compute_operating_result
from screening.metrics.workload import compute_alert_rate

if TYPE_CHECKING:
    import numpy as np

    from screening.taxonomy import RiskTarget
    from screening.thresholds.abstention import AbstentionBand


def build_alternatives_section(results: RunResults) -> Section | None:
    """Build the section, where the run promised more than one recall per target."""
    tables = (
        build_group_promises(results),
        build_alternatives(results),
        build_budgets(results),
        build_bands(results),
    )
    found = tuple(table for table in tables if table is not None)
    words = ("From the same calibration posts. What was not asked for before calibration is not listed: a threshold "
             "picked afterwards from a curve carries no promise.",)  # fmt: skip
    return Section("alternatives", "Other promises from the same posts", words, found) if found else None


def build_group_promises(results: RunResults) -> Table | None:
    """List the promise inside each group of posts."""
    rows = [
        {"name": point.name, "target_recall": point.target_recall} | group.model_dump()
        for point in results.operating_points
        for group in point.groups
    ]
    if not rows:
        return None
    columns = (
        Column("name", "Risk target"),
        Column("column", "Grouped by"),
        Column("group", "Group"),
        Column("target_recall", "Recall promised", "fraction"),
        Column("n_positive", "Calibration positives", "count"),
        Column("n_allowed_misses", "Of them below threshold, at most", "count"),
        Column("recall_lower_bound", "Recall bound", "fraction"),
        Column("confidence_achieved", "Confidence", "fraction"),
    )
    note = (
        "One threshold, the lowest any group needs: scoring needs no group. The confidence is not divided among "
        "groups: a threshold low enough for the hardest group is low enough for all, so all hold at once. Groups "
        "first seen after calibration are not covered."
    )
    return Table("group_promises", "The promise in each group", pd.DataFrame(rows), columns, "calibration split", note)


def build_alternatives(results: RunResults) -> Table | None:
    """Set the recalls offered side by side: promised, found on test, and their alerts there."""
    if not results.alternatives:
        return None
    targets = {target.name: target for target in results.taxonomy.targets}
    order = list(targets)
    points = sorted(
        (*results.operating_points, *results.alternatives),
        key=lambda point: (order.index(point.name), -point.target_recall),
    )
    chosen = set(results.operating_points)
    rows = [
        describe_point(point)
        | {"used": "in use" if point in chosen else "offered"}
        | _measure(results, targets[point.name], point.flag(extract_scores(results.test, targets[point.name])))
        for point in points
    ]
    columns = (
        Column("name", "Risk target"),
        Column("target_recall", "Recall promised", "fraction"),
        Column("used", "Threshold is"),
        Column("threshold", "Threshold", "score"),
        Column("recall", "Recall found", "fraction", interval=True, n_key="recall_n"),
        Column("ppv", "PPV", "fraction", interval=True, n_key="ppv_n"),
        Column("alerts_per_1000", "Alerts per 1,000", "number", interval=True, n_key="alerts_per_1000_n"),
    )
    sharing = describe_sharing(points[0], is_family_wise=results.config.calibration.is_family_wise)
    note = f"{sharing} So any of them may be chosen after reading this table. Exact 95% intervals."
    return Table(
        "alternatives", "Recalls offered, and what each costs", pd.DataFrame(rows), columns, "test split", note
    )


def _measure(results: RunResults, target: RiskTarget, flags: np.ndarray) -> dict[str, object]:
    result = compute_operating_result(binarize_labels(results.test, target), flags, split="test")
    alerts = compute_alert_rate(flags, split="test")
    record: dict[str, object] = {}
    record |= spread_estimate("recall", result.recall) | spread_estimate("ppv", result.ppv)
    return record | spread_estimate("alerts_per_1000", alerts)


def build_budgets(results: RunResults) -> Table | None:
    """List whether each recall stays within the alert budget."""
    if not results.budgets:
        return None
    rows = [
        budget.model_dump() | {"used": used, "verdict": "fits" if budget.fits else "does not fit"}
        for used, budgets in (("in use", results.budgets), ("offered", results.alternative_budgets))
        for budget in budgets
    ]
    columns = (
        Column("name", "Risk target"),
        Column("target_recall", "Recall promised", "fraction"),
        Column("used", "Threshold is"),
        Column("prevalence", "Prevalence", "fraction"),
        Column("max_alerts_per_1000", "Budget: alerts per 1,000", "number"),
        Column("alerts_upper_bound", "Alerts per 1,000, at most", "number"),
        Column("excess_per_1000", "Above the budget", "number"),
        Column("verdict", "The budget"),
        Column("recall_within_budget", "Recall the budget allows", "fraction"),
        Column("n_false_alarms", "False alarms", "count", n_key="n_negative"),
    )
    first = results.budgets[0]
    whose = "all targets" if first.n_promises > 1 else "the same target"
    per_draw = (
        " Posts are counted one per author: where busy authors are flagged more often, alerts per 1,000 posts are more."
        if first.unit == "author"
        else ""
    )
    note = (
        "The budget is for each target alone: alerts of several targets add up where they flag different posts. Upper "
        f"bound at {format_prose(first.confidence_level)} from the calibration posts without the label, "
        f"assuming recall 100%; with the recall promises of {whose} it holds at once with "
        f"{format_prose(first.joint_confidence_level)}. Other posts in deployment must be like these: posts from "
        "elsewhere need a budget of their own. "
        f"“Recall the budget allows” shows where to aim; a target chosen from it needs new calibration posts.{per_draw}"
    )
    return Table("budgets", "Recall and alert budget", pd.DataFrame(rows), columns, "calibration split", note)


def build_bands(results: RunResults) -> Table | None:
    """List abstention bands, and how many test posts fall in each part."""
    if not results.bands:
        return None
    columns = (
        Column("name", "Risk target"),
        Column("low", "No flag below", "score"),
        Column("high", "Flag from", "score"),
        Column("max_false_alarm_rate", "False alarms above, at most", "fraction"),
        Column("false_alarm_upper_bound", "Upper bound", "fraction", n_key="n_negative"),
        Column("abstain", "Test posts between", "fraction", interval=True, n_key="abstain_n"),
        Column("false_alarms", "False alarms found on test", "fraction", interval=True, n_key="false_alarms_n"),
    )
    first = results.bands[0]
    note = (
        "Between the two scores the screener abstains: a person decides, no order implied. The upper threshold "
        f"promises a false-alarm rate at {format_prose(first.confidence_level)}, exact for any distribution; with the "
        f"recall promises it holds at once with {format_prose(first.joint_confidence_level)}."
    )
    frame = pd.DataFrame([_describe_band(results, band) for band in results.bands])
    return Table("abstention", "Abstention", frame, columns, "calibration and test splits", note)


def _describe_band(results: RunResults, band: AbstentionBand) -> dict[str, object]:
    target = next(target for target in results.taxonomy.targets if target.name == band.name)
    levels = band.assign(extract_scores(results.test, target))
    negative = ~binarize_labels(results.test, target)
    between = estimate_proportion(int((levels == "abstain").sum()), levels.size, split="test")
    alarms = estimate_proportion(int(((levels == "flag") & negative).sum()), int(negative.sum()), split="test")
    return band.model_dump() | spread_estimate("abstain", between) | spread_estimate("false_alarms", alarms)
