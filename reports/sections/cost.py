"""What flags cost in reading: on the splits, and at deployment prevalences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.estimates import spread_estimate
from reports.figures.curves import plot_recall_alerts
from reports.page import Section
from reports.results import RunResults, control_groups, once_per_run
from reports.sections.curves import build_curve
from reports.sections.recall import build_performance, compute_result, flag_posts
from reports.sections.thresholds import build_triage_counts
from reports.tables import Column, Kind, Table
from screening.config import BackgroundConfig
from screening.metrics.workload import compute_alert_rate, compute_deployment_table

if TYPE_CHECKING:
    from screening.taxonomy import RiskTarget

WORKLOAD: dict[str, tuple[str, Kind]] = {
    "ppv": ("PPV", "fraction"),
    "alerts_per_1000": ("Alerts per 1,000", "number"),
    "posts_read_per_true_case": ("Posts read per positive", "number"),
    "missed_per_1000": ("Missed per 1,000", "number"),
    "reviewer_hours_per_1000": ("Reviewer hours per 1,000", "number"),
    "npv": ("NPV", "fraction"),
}


def build_cost_section(results: RunResults) -> Section:
    """Build alerts and reading effort."""
    curve, performance = build_curve(results), build_performance(results)
    has_curve = len(curve.frame) and curve.frame["recall"].notna().any()
    return Section(
        name="cost",
        title="What it costs in reading",
        words=(
            "Recall costs reading. How much depends on how common such posts are where the screener runs, and on what "
            "the other posts are like; both are different from this data set almost everywhere.",
        ),
        tables=(
            build_deployment(results),
            build_alerts(results),
            *((build_triage_counts(results),) if results.operating_points else ()),
        ),
        pictures=(plot_recall_alerts(curve.frame, performance.frame, "test split"),) if has_curve else (),
    )


@once_per_run
def build_alerts(results: RunResults) -> Table:
    """Count alerts per 1,000 posts on test and on each kind of control."""
    parts = [("test", results.test)] + [(f"controls: {kind}", part) for kind, part in control_groups(results.controls)]
    rows = []
    for target in results.targets:
        for name, scores in parts:
            flags = flag_posts(results, target, scores)
            record: dict[str, object] = {"target": target.name, "posts": name, "n_flagged": int(flags.sum())}
            rows.append(record | spread_estimate("alerts_per_1000", compute_alert_rate(flags, split=name)))
    columns = (
        Column("target", "Risk target"),
        Column("posts", "Posts"),
        Column("n_flagged", "Flagged", "count"),
        Column("alerts_per_1000", "Alerts per 1,000", "number", interval=True, n_key="alerts_per_1000_n"),
    )
    note = describe_controls(results.config.data.background)
    return Table("alerts", "Alerts per 1,000 posts", pd.DataFrame(rows), columns, "test split and controls", note)


def describe_controls(background: BackgroundConfig | None) -> str:
    """Say where controls come from, and how far the classifier knows their like."""
    note = "Controls come from outside the task's communities; every alert on them is counted as a false alarm."
    if background is None:
        return note
    if background.group_column is None:
        return f"{note} Other posts from the same places were learnt, as the class {background.label}."
    return (
        f"{note} Posts from other places were learnt, as the class {background.label}: none of these has the "
        f"{background.group_column} of a control."
    )


@once_per_run
def build_deployment(results: RunResults) -> Table:
    """Work out precision and reading effort at deployment prevalences, with test recall.

    Two rows per prevalence where there are controls: the other posts are like the test split's other posts, or like
    the controls.
    """
    parts = [_work_out(results, target) for target in results.targets]
    columns = (
        Column("target", "Risk target", n_key="n_positive"),
        Column("prevalence_words", "Prevalence"),
        Column("other_posts", "Other posts like", n_key="n_other_posts"),
        *(Column(name, heading, kind, interval=True) for name, (heading, kind) in WORKLOAD.items()),
    )
    minutes = results.config.report.minutes_per_post
    note = (
        "Bayes' rule from test recall and from the false-alarm rate on the posts named, with "
        f"{minutes:g} reviewer minutes per flagged post. Intervals combine the worst corners of two 95% intervals. "
        "Positives and other posts may change in number but not in kind."
    )
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Table("deployment", "At deployment prevalences", frame, columns, "test split and controls", note)


def _work_out(results: RunResults, target: RiskTarget) -> pd.DataFrame:
    own = compute_result(results, target, results.test, "test")
    readings = {"test split": own}
    if results.controls is not None and len(results.controls):
        readings["controls"] = compute_result(results, target, results.controls, "controls")
    prevalences = sorted(set(results.config.report.prevalences))
    split_prevalence = own.n_positive / max(own.n_samples, 1)
    parts = []
    for name, negatives in readings.items():
        alarms = negatives.false_alarm_rate
        if own.recall.value is None or alarms.value is None:
            continue
        is_own = name == "test split" and 0 < split_prevalence < 1
        asked = [*prevalences, split_prevalence] if is_own else prevalences
        table = compute_deployment_table(
            own.recall.value, alarms.value, asked, results.config.report.minutes_per_post,
            recall_interval=own.recall.interval, false_alarm_interval=alarms.interval,
        )  # fmt: skip
        words = [f"{100 * share:.3g}%" for share in prevalences] + [f"{100 * split_prevalence:.1f}% (test split)"]
        table["prevalence_words"] = words[: len(asked)]
        counts = {"n_positive": own.n_positive, "n_other_posts": alarms.n_samples}
        parts.append(table.assign(target=target.name, other_posts=name, order=range(len(asked)), **counts))
    if not parts:
        return pd.DataFrame()
    together = pd.concat(parts).sort_values("order", kind="stable").drop(columns="order")
    first = ["target", "prevalence_words", "other_posts"]
    return together[[*first, *(column for column in together.columns if column not in first)]]
