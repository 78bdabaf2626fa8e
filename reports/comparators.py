"""The same recall promise kept by other scorers: what each finds and what each costs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd

from reports.estimates import spread_estimate
from reports.recall import compute_result, flag_posts
from reports.results import RunResults
from reports.tables import Column, Table
from screening.metrics.workload import compute_alert_rate

if TYPE_CHECKING:
    from reports.results import Comparator
    from screening.taxonomy import RiskTarget

OWN_NAME = "this screener"


def build_promise_comparison(results: RunResults) -> Table:
    """Compare scorers at their own thresholds, each fitted to the same promise on the same calibration posts."""
    scorers = [(OWN_NAME, results)] + [(other.name, _pretend(results, other)) for other in results.comparators.values()]
    rows = [
        {"target": target.name, "scorer": name} | _describe(scorer, target)
        for target in results.targets
        for name, scorer in scorers
        if target.name in scorer.point_by_target
    ]
    columns = (
        Column("target", "Risk target"),
        Column("scorer", "Scorer"),
        Column("recall", "Recall", "fraction", interval=True, n_key="recall_n"),
        Column("ppv", "PPV", "fraction", interval=True, n_key="ppv_n"),
        Column("alerts_per_1000", "Alerts per 1,000, test", "number", interval=True, n_key="alerts_per_1000_n"),
        Column("control_alerts", "Alerts per 1,000, controls", "number", interval=True, n_key="control_alerts_n"),
    )
    note = "Each scorer has its own threshold for the same promise: what differs is the reading it costs."
    return Table("promise_comparison", "The same promise, other scorers", pd.DataFrame(rows), columns,
                 "test split and controls", note)  # fmt: skip


def _pretend(results: RunResults, other: Comparator) -> RunResults:
    """Put a comparator's scores and thresholds in the screener's place."""
    return dataclasses.replace(
        results, operating_points=other.operating_points, test=other.test, controls=other.controls, comparators={}
    )


def _describe(scorer: RunResults, target: RiskTarget) -> dict[str, object]:
    result = compute_result(scorer, target, scorer.test, "test")
    record: dict[str, object] = dict(spread_estimate("recall", result.recall) | spread_estimate("ppv", result.ppv))
    rate = compute_alert_rate(flag_posts(scorer, target, scorer.test), split="test")
    record |= spread_estimate("alerts_per_1000", rate)
    if scorer.controls is not None and len(scorer.controls):
        rate = compute_alert_rate(flag_posts(scorer, target, scorer.controls), split="controls")
        record |= spread_estimate("control_alerts", rate)
    return record
