"""The same recall promise kept by other scorers: what each finds and what each costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.estimates import spread_estimate
from reports.page import Section
from reports.results import RunResults, binarize_labels, extract_scores, once_per_run
from reports.sections.classification import align_posts, build_comparison
from reports.sections.recall import flag_posts
from reports.tables import Column, Table, format_prose
from screening.metrics.operating import compute_operating_result
from screening.metrics.paired import compare_recall_paired
from screening.metrics.workload import compute_alert_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.results import Comparator
    from screening.taxonomy import RiskTarget
    from screening.thresholds.operating_point import OperatingPoint

OWN_NAME = "this screener"
BY_PROMISE = "the same promise"
OTHER_PROMISE = "another promise"


@dataclass(frozen=True)
class ScorerFlags:
    """What one scorer flags for one target, by ``decision``: its threshold for the promise, or a rule of its own.

    ``test`` (shape (n_test,), bool) goes with ``y_true``, in the order of the scorer's own table, whose ids are
    ``post_ids``; ``controls`` is ``None`` without controls.
    """

    scorer: str
    decision: str
    post_ids: pd.Series
    y_true: np.ndarray
    test: np.ndarray
    controls: np.ndarray | None


def build_comparator_section(results: RunResults) -> Section | None:
    """Build the comparison with other scorers, where there are any."""
    if not results.comparators:
        return None
    words = ("Simpler scorers on the same posts. A screener that does not beat them is not worth its cost.",)
    tables = (build_promise_comparison(results), build_paired_recall(results), build_comparison(results))
    return Section("comparators", "Beside simpler scorers", words, tables)


@once_per_run
def build_promise_comparison(results: RunResults) -> Table:
    """Compare scorers at their own thresholds, each fitted to the same promise on the same calibration posts.

    A scorer with a rule of its own gets a second row for what teams do with it; no promise stands behind that one.
    """
    rows = [
        {"target": target.name, "scorer": flags.scorer, "decision": flags.decision} | _describe(flags)
        for target in results.targets
        for flags in iterate_flags(results, target)
    ]
    columns = (
        Column("target", "Risk target"),
        Column("scorer", "Scorer"),
        Column("decision", "Flags by"),
        Column("recall", "Recall", "fraction", interval=True, n_key="recall_n"),
        Column("ppv", "PPV", "fraction", interval=True, n_key="ppv_n"),
        Column("alerts_per_1000", "Alerts per 1,000, test", "number", interval=True, n_key="alerts_per_1000_n"),
        Column("control_alerts", "Alerts per 1,000, controls", "number", interval=True, n_key="control_alerts_n"),
    )
    note = "Each scorer has its own threshold for the same promise: what differs is the reading it costs."
    if any(str(row["decision"]).startswith(OTHER_PROMISE) for row in rows):
        note = (
            "Each scorer has a threshold of its own; where the promise is another, recall differs as well as reading."
        )
    if any(other.rule_threshold for other in results.comparators.values()):
        note += (
            " A rule of its own promises nothing: its recall is what was found on this split. Where the same promise "
            "flags every post, no score above the lowest keeps it."
        )
    if without := _find_without_controls(results):
        note += f" No alerts on controls of {', '.join(without)}: not all of these controls were scored there."
    return Table("promise_comparison", "The same promise, other scorers", pd.DataFrame(rows), columns,
                 "test split and controls", note)  # fmt: skip


def _find_without_controls(results: RunResults) -> list[str]:
    if results.controls is None:
        return []
    return [other.name for other in results.comparators.values() if other.controls is None]


def build_paired_recall(results: RunResults) -> Table:
    """Compare on the same positives which ones this screener finds and each comparator misses, and the other way."""
    rows = []
    for target in results.targets:
        own, *others = iterate_flags(results, target)
        for other in others:
            flags = align_flags(other, own)
            pair = compare_recall_paired(own.y_true, own.test, flags, split="test")
            record: dict[str, object] = {"target": target.name, "scorer": other.scorer, "decision": other.decision}
            record |= pair.model_dump(exclude={"difference"}) | spread_estimate("difference", pair.difference)
            rows.append(record)
    columns = (
        Column("target", "Risk target"),
        Column("scorer", "Compared with"),
        Column("decision", "Flags by"),
        Column("difference", "Recall, this less the other, points", "percent_points", interval=True,
               n_key="difference_n"),
        Column("n_only_a", "Found only by this screener", "count"),
        Column("n_only_b", "Found only by the other", "count"),
        Column("n_both", "By both", "count"),
        Column("n_neither", "By neither", "count"),
        Column("p_value", "McNemar p", "p_value"),
    )  # fmt: skip
    note = (
        "The same positives, post by post; n: positives. 95% score intervals (Tango); exact two-sided McNemar test, "
        "not corrected for the number of rows. Two scorers held to the same promise should find about equally many: "
        "compare their alerts above. A large p is no evidence of equality."
    )
    return Table("paired_recall", "Recall on the same positives", pd.DataFrame(rows), columns, "test split", note)


def align_flags(other: ScorerFlags, own: ScorerFlags) -> np.ndarray:
    """Put another scorer's flags in the order of this screener's posts, shape (n_test,), bool.

    Raises
    ------
    ValueError
        If the two tables do not hold the same posts.
    """
    table = align_posts(pd.DataFrame({"post_id": other.post_ids, "flag": other.test}),
                        pd.DataFrame({"post_id": own.post_ids}))  # fmt: skip
    return table["flag"].to_numpy(dtype=bool)


def iterate_flags(results: RunResults, target: RiskTarget) -> Iterator[ScorerFlags]:
    """Yield what this screener flags for a target, then every comparator by the promise, by its rule, or both."""
    y_true = binarize_labels(results.test, target)
    controls = None if results.controls is None else flag_posts(results, target, results.controls)
    own = flag_posts(results, target, results.test)
    yield ScorerFlags(OWN_NAME, BY_PROMISE, results.test["post_id"], y_true, own, controls)
    for other in results.comparators.values():
        points = {point.name: point for point in other.operating_points}
        if target.name in points:
            point = points[target.name]
            yield _flag(other, target, point.threshold, _name_promise(point, results.point_by_target[target.name]))
        if target.name in other.rule_threshold:
            yield _flag(other, target, other.rule_threshold[target.name], other.rule)


def _name_promise(point: OperatingPoint, own: OperatingPoint) -> str:
    if all(getattr(point, name) == getattr(own, name) for name in ("target_recall", "confidence_each", "unit")):
        return BY_PROMISE
    whose = ", by author" if point.unit == "author" else ""
    return f"{OTHER_PROMISE}: {format_prose(point.target_recall)} at {format_prose(point.confidence_each)}{whose}"


def _flag(other: Comparator, target: RiskTarget, threshold: float, decision: str) -> ScorerFlags:
    """Flag scores at or above a threshold, compared in the precision of the scores."""

    def flag(scores: pd.DataFrame) -> np.ndarray:
        values = extract_scores(scores, target)
        return values >= np.asarray(threshold, dtype=values.dtype)

    controls = None if other.controls is None else flag(other.controls)
    y_true = binarize_labels(other.test, target)
    return ScorerFlags(other.name, decision, other.test["post_id"], y_true, flag(other.test), controls)


def _describe(flags: ScorerFlags) -> dict[str, object]:
    result = compute_operating_result(flags.y_true, flags.test, split="test")
    record: dict[str, object] = dict(spread_estimate("recall", result.recall) | spread_estimate("ppv", result.ppv))
    record |= spread_estimate("alerts_per_1000", compute_alert_rate(flags.test, split="test"))
    if flags.controls is not None and len(flags.controls):
        record |= spread_estimate("control_alerts", compute_alert_rate(flags.controls, split="controls"))
    return record
