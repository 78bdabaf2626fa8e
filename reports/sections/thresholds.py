"""Operating points as a table, and how many posts each triage level gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.results import RunResults, control_groups, extract_scores, once_per_run
from reports.tables import Column, Table, format_prose
from screening.thresholds.triage import assign_triage
from screening.types import TRIAGE_LEVELS

if TYPE_CHECKING:
    from screening.thresholds.operating_point import OperatingPoint

TRIAGE_WORDS = {"refer": "refer (read first)", "review": "review", "no_flag": "no flag"}
METHOD_WORDS = {"order_statistic": "order statistic, exact for any distribution"}


UNIT_WORDS = {"post": "a random positive post", "author": "a random positive post of a random author"}


def build_operating_points(results: RunResults) -> Table:
    """List every operating point with its promise and what it rests on."""
    points = results.operating_points
    frame = pd.DataFrame([describe_point(point) for point in points])
    columns = [
        Column("name", "Risk target"),
        Column("labels", "Positive labels"),
        Column("triage", "A flag leads to"),
        Column("target_recall", "Recall promised", "fraction"),
        Column("confidence_level", "With confidence", "fraction"),
        Column("n_positive", "Calibration positives", "count", n_key="n_samples"),
        Column("n_allowed_misses", "Of them below threshold", "count"),
        Column("threshold", "Threshold", "score"),
        Column("recall_lower_bound", "Recall bound", "fraction"),
    ]
    if any(point.unit != "post" for point in points):
        columns.insert(4, Column("unit_words", "For"))
    if any(point.n_promises > 1 for point in points):
        columns.insert(5, Column("n_promises", "Promises that share it", "count"))
    if any(point.groups for point in points):
        columns.append(Column("n_groups", "Also in each of", "count"))
    note = " ".join(_describe_promises(results))
    return Table("operating_points", "Operating points", frame, tuple(columns), "calibration split", note)


def describe_point(point: OperatingPoint) -> dict[str, object]:
    """Lay an operating point out as a row; groups as their number and columns."""
    record = point.model_dump(exclude={"assumptions", "groups"})
    return record | {
        "labels": ", ".join(point.labels),
        "method": METHOD_WORDS.get(point.method, point.method),
        "confidence_each": point.confidence_each,
        "unit_words": UNIT_WORDS[point.unit],
        "n_groups": len(point.groups),
        "group_columns": ", ".join(point.group_columns),
    }


def describe_sharing(point: OperatingPoint, *, is_family_wise: bool) -> str:
    """Say which promises hold at once, and with what confidence."""
    if point.n_promises == 1:
        return "Each promise is made for its target alone; that all hold together is less likely."
    whose = "of all risk targets" if is_family_wise else "of one risk target"
    rest = "" if is_family_wise else " That the promises of several targets hold together is less likely."
    return (
        f"The confidence is shared by the {point.n_promises} promises {whose}: all of them hold at once with "
        f"{format_prose(point.confidence_level)}, each one made at {format_prose(point.confidence_each)} (union bound)."
        f"{rest}"
    )


def _describe_promises(results: RunResults) -> list[str]:
    """Write the note: method, who shares the confidence, authors, groups."""
    words = [
        "Method: order statistic, exact for any distribution of scores. A post is flagged when its score is at or "
        "above the threshold. Recall bound: exact one-sided lower bound at the confidence of each promise."
    ]
    if not results.operating_points:
        return words
    point = results.operating_points[0]
    words.append(describe_sharing(point, is_family_wise=results.config.calibration.is_family_wise))
    if point.unit == "author":
        words.append(
            "Positives are counted by author: one positive post of each was drawn, and the recall is that of a random "
            "positive post of a random author, not the share of all positive posts. Recall on test counts posts, so "
            "that it may lie on either side of this promise without confirming or contradicting it."
        )
    if point.groups:
        words.append(
            f"The recall is promised in all posts and in each group of {', '.join(point.group_columns)} at once, by "
            "the same threshold: the lowest any of them needs."
        )
    return words


@once_per_run
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
