"""The one-paragraph answer on top of a report, and the few numbers beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.page import Fact
from reports.sections.cost import build_deployment
from reports.sections.recall import build_performance
from reports.sections.thresholds import UNIT_WORDS, build_triage_counts
from reports.tables import format_prose, format_value, is_undefined, join_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.results import RunResults
    from reports.tables import Kind


def build_answer(results: RunResults) -> tuple[str, ...]:
    """Say what the screener does on this split: recall promised and found, and the cost, per target."""
    found = build_performance(results).frame
    costs = choose_costs(results)
    n_posts = f"{len(results.test):,}"
    opening = (
        f"On {n_posts} test posts that the model has never seen, a post is flagged for review when it resembles those "
        "published in the communities named below. A flag says nothing about the person who wrote it."
    )
    sentences = [_describe_target(results, row, costs) for row in found.to_dict(orient="records")]
    return (opening, *sentences, *_describe_queue(results))


def choose_costs(results: RunResults) -> pd.DataFrame:
    """Take the deployment rows at the middle prevalence, with controls as other posts where there are any."""
    frame = build_deployment(results).frame
    if frame.empty:
        return frame.set_index("target")
    chosen = sorted(results.config.report.prevalences)
    middle = chosen[len(chosen) // 2]
    rows = frame[frame["prevalence"] == middle]
    return rows.drop_duplicates("target", keep="last").set_index("target")


def _describe_target(results: RunResults, row: dict[Any, Any], costs: pd.DataFrame) -> str:
    point = results.point_by_target[row["target"]]
    labels = f" ({', '.join(point.labels)})" if point.labels != (point.name,) else ""
    whose = f" for {UNIT_WORDS[point.unit]}" if point.unit == "author" else ""
    recall, confidence = format_prose(point.target_recall), format_prose(point.confidence_level)
    promise = f"at least {recall}{whose} with {confidence} confidence"
    start = f"{point.name}{labels}: a recall of {promise} was promised; "
    if is_undefined(row["recall"]):
        return start + "the test split holds no such post, so nothing can be said about it."
    share = format_prose(row["recall"])
    found = f"{share} of {row['n_positive']:,} such posts were found ({_write_interval(row, 'recall')})."
    if row["target"] not in costs.index:
        return start + found
    cost = costs.loc[row["target"]]
    alerts, hours = (format_prose(cost[name], "number") for name in ("alerts_per_1000", "reviewer_hours_per_1000"))
    return (
        f"{start}{found} If {format_prose(cost['prevalence'])} of posts are of this kind and the rest are like the "
        f"{cost['other_posts']}, expect about {alerts} alerts and {hours} reviewer hours per 1,000 posts."
    )


def _describe_queue(results: RunResults) -> Iterator[str]:
    """Say what all targets together cost, where there are several: a post is read if any of them flags it."""
    if len(results.operating_points) < 2:
        return
    hours = results.config.report.minutes_per_post / 60
    parts = []
    for row in build_triage_counts(results).frame.to_dict(orient="records"):
        per_1000 = 1_000 / max(row["n_samples"], 1)
        posts = "the test split" if row["posts"] == "test" else row["posts"]
        n_first, n_read = (per_1000 * n for n in (row["refer"], row["refer"] + row["review"]))
        parts.append(
            f"{format_prose(n_read, 'number')} of {posts} ({format_prose(n_first, 'number')} before all others, "
            f"{format_prose(n_read * hours, 'number')} reviewer hours)"
        )
    yield f"A post is read if any target flags it. Of 1,000 posts each: {'; '.join(parts)}."


def build_cards(results: RunResults) -> tuple[Fact, ...]:
    """Choose two numbers per target: recall found and alerts per 1,000 posts of the test split."""
    cards = []
    for row in build_performance(results).frame.to_dict(orient="records"):
        promised = format_prose(row["target_recall"])
        lines = (_write_interval(row, "recall"), f"promised {promised}", f"n = {row['n_positive']:,} positives, test")
        cards.append(Fact(f"Recall, {row['target']}", format_value(row["recall"], "fraction"), lines))
        share = format_prose(row["n_positive"] / max(row["n_samples"], 1))
        lines = (
            _write_interval(row, "alerts_per_1000", "number"),
            f"{share} of posts are positive",
            f"n = {row['n_samples']:,} posts, test",
        )
        cards.append(Fact(f"Alerts per 1,000, {row['target']}", format_value(row["alerts_per_1000"], "number"), lines))
    return tuple(cards)


def _write_interval(row: dict[Any, Any], name: str, kind: Kind = "fraction") -> str:
    low, high = (format_value(row[f"{name}_{end}"], kind) for end in ("low", "high"))
    return f"95% interval {join_bounds(low, high)}"
