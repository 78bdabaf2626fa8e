"""Operating points as a table, and how many posts each triage level gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.results import RunResults, control_groups, extract_scores
from reports.tables import Column, Table
from screening.thresholds.triage import assign_triage
from screening.types import TRIAGE_LEVELS

if TYPE_CHECKING:
    from screening.thresholds.operating_point import OperatingPoint

TRIAGE_WORDS = {"refer": "refer (read first)", "review": "review", "no_flag": "no flag"}
METHOD_WORDS = {"order_statistic": "order statistic, exact for any distribution"}


def build_operating_points(results: RunResults) -> Table:
    """List every operating point with its promise and what it rests on."""
    frame = pd.DataFrame([_describe_point(point) for point in results.operating_points])
    columns = (
        Column("name", "Risk target"),
        Column("labels", "Positive labels"),
        Column("triage", "A flag leads to"),
        Column("target_recall", "Recall promised", "fraction"),
        Column("confidence_level", "With confidence", "fraction"),
        Column("n_positive", "Calibration positives", "count", n_key="n_samples"),
        Column("n_allowed_misses", "Of them below threshold", "count"),
        Column("threshold", "Threshold", "score"),
        Column("recall_lower_bound", "Recall bound", "fraction"),
    )
    note = (
        "Method: order statistic, exact for any distribution of scores. A post is flagged when its score is at or "
        "above the threshold. Recall bound: exact one-sided lower bound at the confidence asked for. Each promise is "
        "made for its target alone; that all hold together is less likely."
    )
    return Table("operating_points", "Operating points", frame, columns, "calibration split", note)


def _describe_point(point: OperatingPoint) -> dict[str, object]:
    record = point.model_dump(exclude={"assumptions"})
    method = METHOD_WORDS.get(point.method, point.method)
    return record | {"labels": ", ".join(point.labels), "method": method}


def build_triage_counts(results: RunResults) -> Table:
    """Count posts per triage level on the test split and on each kind of control."""
    parts = [("test", results.test)] + [(f"controls: {kind}", part) for kind, part in control_groups(results.controls)]
    frame = pd.DataFrame([_count_levels(results, name, scores) for name, scores in parts])
    levels = (Column(level, TRIAGE_WORDS[level], "count", share_key=f"{level}_fraction") for level in TRIAGE_LEVELS)
    columns = (Column("posts", "Posts"), Column("n_samples", "n", "count"), *levels)
    note = "A post flagged by several operating points gets the most urgent level."
    return Table("triage", "Posts per triage level", frame, columns, "test split and controls", note)


def _count_levels(results: RunResults, name: str, scores: pd.DataFrame) -> dict[str, object]:
    by_target = {target.name: extract_scores(scores, target) for target in results.targets}
    levels = pd.Series(assign_triage(by_target, results.operating_points), dtype=object)
    record: dict[str, object] = {"posts": name, "n_samples": len(levels)}
    for level in TRIAGE_LEVELS:
        n = int((levels == level).sum())
        record |= {level: n, f"{level}_fraction": n / len(levels) if len(levels) else None}
    return record
