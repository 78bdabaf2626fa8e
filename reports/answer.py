"""The one-paragraph answer on top of a report, and the few numbers beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.page import Fact
from reports.recall import build_deployment, build_performance
from reports.tables import format_value

if TYPE_CHECKING:
    from reports.results import RunResults


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
    return (opening, *sentences)


def choose_costs(results: RunResults) -> pd.DataFrame:
    """Take the deployment rows at the middle prevalence, with controls as other posts where there are any."""
    frame = build_deployment(results).frame
    chosen = sorted(results.config.report.prevalences)
    middle = chosen[len(chosen) // 2]
    rows = frame[frame["prevalence"] == middle]
    return rows.drop_duplicates("target", keep="last").set_index("target")


def _describe_target(results: RunResults, row: dict[Any, Any], costs: pd.DataFrame) -> str:
    point = results.point_by_target[row["target"]]
    cost = costs.loc[row["target"]]
    alerts, hours = (
        format_value(cost["alerts_per_1000"], "number"),
        format_value(cost["reviewer_hours_per_1000"], "number"),
    )
    interval = f"{format_value(row['recall_low'], 'fraction')} to {format_value(row['recall_high'], 'fraction')}"
    return (
        f"{row['target']} ({', '.join(point.labels)}): promised was a recall of at least "
        f"{format_value(point.target_recall, 'fraction')} with {format_value(point.confidence_level, 'fraction')} "
        f"confidence; found was {format_value(row['recall'], 'fraction')} (95% interval {interval}, "
        f"n = {row['n_positive']:,} posts). Where {format_value(cost['prevalence'], 'fraction')} of posts are of this kind "
        f"and the others are like the {cost['other_posts']}, it costs about {alerts} alerts and {hours} reviewer hours per "
        "1,000 posts."
    )


def build_cards(results: RunResults) -> tuple[Fact, ...]:
    """Choose two numbers per target: recall found and alerts per 1,000 posts of the test split."""
    cards = []
    for row in build_performance(results).frame.to_dict(orient="records"):
        interval = f"{format_value(row['recall_low'], 'fraction')} to {format_value(row['recall_high'], 'fraction')}"
        promised = format_value(row["target_recall"], "fraction")
        detail = f"95% interval {interval}; promised {promised}; n = {row['n_positive']:,}, test"
        cards.append(Fact(f"Recall, {row['target']}", format_value(row["recall"], "fraction"), detail))
        span = f"{format_value(row['alerts_per_1000_low'], 'number')} to {format_value(row['alerts_per_1000_high'], 'number')}"
        detail = f"95% interval {span}; {format_value(row['n_positive'] / row['n_samples'], 'fraction')} of these posts are positive; n = {row['n_samples']:,}, test"
        cards.append(Fact(f"Alerts per 1,000, {row['target']}", format_value(row["alerts_per_1000"], "number"), detail))
    return tuple(cards)
