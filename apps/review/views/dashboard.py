"""The lead's dashboard: how much is read, how long it takes, what is changed, how far readers agree, what waits."""

from collections import defaultdict

import streamlit as st

from apps.review.components.agreement import show_agreement
from apps.review.components.charts import EVERYONE, draw_overturns, draw_throughput, draw_times
from apps.review.components.messages import run_page, show_message
from apps.review.components.rows import show_counts
from apps.review.components.tables import describe_estimate, show_table
from apps.review.services.dashboard import Backlog, Dashboard, load_dashboard
from apps.review.services.reading_log import ThroughputRow
from apps.review.state import load_context, require_signed_in

_SPANS = (7, 14, 30)


def show() -> None:
    """Show everything of the last days, tables beside pictures."""
    actor, context = require_signed_in("see_dashboard"), load_context()
    st.title("Dashboard", anchor=False)
    n_days = st.segmented_control(
        "Days", _SPANS, default=14, format_func=lambda n: f"{n} days", key="dashboard_days", required=True
    )
    found = load_dashboard(context, actor, n_days=n_days or 14)
    _show_queue(found)
    st.subheader("Throughput", anchor=False)
    _show_throughput(found)
    st.subheader("Time per post", anchor=False)
    _show_times(found)
    st.subheader("Changed after the reveal", anchor=False)
    _show_overturns(found)
    st.subheader("Agreement of two blind readings", anchor=False)
    show_agreement(found.agreement)


def _show_queue(found: Dashboard) -> None:
    age = found.queue_age
    show_counts(
        [
            ("Waiting", f"{age.n_waiting:,}"),
            ("First reading", f"{age.n_first:,}"),
            ("Second reading", f"{age.n_second:,}"),
            ("To be settled", f"{age.n_adjudication:,}"),
            ("Escalated, not taken over", f"{found.n_escalated:,}"),
            ("On a desk now", f"{age.n_held:,}"),
            ("Median age", _describe_hours(age.median_hours)),
            ("Oldest", _describe_hours(age.oldest_hours)),
        ]
    )
    show_message(describe_backlog(found.backlog), "calm")


def describe_backlog(backlog: Backlog) -> str:
    """Say how long what waits would last at the present pace."""
    arriving = f"{backlog.imported_per_day:,.1f} a day were imported"
    if backlog.decided_per_day is None or backlog.days_to_clear is None:
        return f"Too little was decided to say how long {backlog.n_waiting:,} posts will last; {arriving}."
    days = "1 day" if backlog.n_days == 1 else f"{backlog.n_days} days"
    pace = f"{backlog.decided_per_day:,.1f} posts a day were decided ({days}), {arriving}"
    clear = f"Without new ones, {backlog.n_waiting:,} would last {backlog.days_to_clear:,.1f} days"
    if backlog.days_to_clear_low is None:
        return f"{pace}. {clear} (too few days for an interval)."
    low = f"{backlog.days_to_clear_low:,.1f}"
    high = f"{backlog.days_to_clear_high:,.1f}" if backlog.days_to_clear_high is not None else "no end in sight"
    return f"{pace}. {clear} (95% interval {low} to {high})."


def _show_throughput(found: Dashboard) -> None:
    if not found.throughput:
        show_message("Nothing was judged in these days", "calm")
        return
    picture, table = st.columns([1.5, 1], gap="large")
    with picture:
        draw_throughput(found.throughput)
    with table:
        show_table(["Reviewer", "Judged", "Changed", "Days"], sum_by_reviewer(found.throughput), caption="By reviewer")
    with st.expander("By day"):
        rows = [[f"{r.day:%Y-%m-%d}", r.reviewer, f"{r.n_judgements}", f"{r.n_revisions}"] for r in found.throughput]
        show_table(["Day", "Reviewer", "Judged", "Changed"], rows, caption="By day and reviewer")


def sum_by_reviewer(rows: tuple[ThroughputRow, ...]) -> list[list[str]]:
    """Add up judgements, revisions and days of work per reviewer, in order of names."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        for place, number in enumerate((row.n_judgements, row.n_revisions, 1)):
            sums[row.reviewer][place] += number
    return [[name, *(f"{number:,}" for number in numbers)] for name, numbers in sorted(sums.items())]


def _show_times(found: Dashboard) -> None:
    if not any(row.n for row in found.time_per_post):
        show_message("No time was measured yet", "calm")
        return
    picture, table = st.columns([1.5, 1], gap="large")
    with picture:
        draw_times(found.time_per_post)
    with table:
        rows = [
            [row.reviewer or EVERYONE, _describe_seconds(row.median_seconds), f"{row.n:,}", f"{row.n_cut:,}"]
            for row in found.time_per_post
        ]
        show_table(["Reviewer", "Median", "n", "Cut"], rows, caption="Opening to decision")
    st.caption("Cut: an idle gap counted only up to the limit of the house. Quick is not better.")


def _show_overturns(found: Dashboard) -> None:
    rows = [[row.reviewer or EVERYONE, describe_estimate(row.rate)] for row in found.overturns]
    if not any(row.rate.n_samples for row in found.overturns):
        show_message("No blind judgement was followed by a look at the score yet", "calm")
        return
    picture, table = st.columns([1.5, 1], gap="large")
    with picture:
        draw_overturns(found.overturns)
    with table:
        show_table(["Reviewer", "Share (95% interval)"], rows, caption="First judgements changed")


def _describe_hours(hours: float | None) -> str:
    if hours is None:
        return "none"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _describe_seconds(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:.0f} s"


run_page(show)
