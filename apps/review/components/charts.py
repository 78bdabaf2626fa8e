"""Pictures of the oversight pages, each made from the rows of the table beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from apps.review.services.reading_log import OverturnRow, ThroughputRow, TimeRow
from apps.review.services.thresholds import ThresholdCurve

if TYPE_CHECKING:
    import pandas as pd

EVERYONE = "Everyone"
_TEAL, _RUST = "#2a8a84", "#c26a2e"  # both read on light and on dark; shape or position always says the same
_PEOPLE = ["#2a8a84", "#c26a2e", "#6b7fb3", "#a0679a", "#8a8f3c", "#4f9bc4"]
_ROW_HEIGHT, _AXIS_HEIGHT = 30, 70


def draw_throughput(rows: Sequence[ThroughputRow]) -> None:
    """Draw judgements per day, stacked by reviewer."""
    import altair as alt

    table = _to_table({"Day": f"{row.day:%m-%d}", "Reviewer": row.reviewer, "Judged": row.n_judgements} for row in rows)
    chart = alt.Chart(table).mark_bar(stroke="white", strokeWidth=0.5)
    chart = chart.encode(
        x=alt.X("Day:O", title=None, axis=alt.Axis(labelAngle=-60)),
        y=alt.Y("sum(Judged):Q", title="posts judged", axis=alt.Axis(tickMinStep=1)),
        color=alt.Color("Reviewer:N", scale=alt.Scale(range=_PEOPLE), legend=_bottom()),
        tooltip=["Day", "Reviewer", "Judged"],
    )
    _show(chart.properties(height=280), "Posts judged per day, stacked by reviewer; the table gives the numbers.")


def draw_times(rows: Sequence[TimeRow]) -> None:
    """Draw the median time per post of each reviewer."""
    import altair as alt

    table = _to_table(
        {"Reviewer": row.reviewer or EVERYONE, "Seconds": row.median_seconds, "Decisions": row.n}
        for row in rows
        if row.median_seconds is not None
    )
    bars = alt.Chart(table).mark_bar(color=_TEAL)
    bars = bars.encode(
        x=alt.X("Seconds:Q", title="median seconds per post"),
        y=_by_reviewer(),
        tooltip=["Reviewer", "Seconds", "Decisions"],
    )
    _show(bars.properties(height=_ROW_HEIGHT * len(table) + _AXIS_HEIGHT), "Median seconds per post and reviewer.")


def draw_overturns(rows: Sequence[OverturnRow]) -> None:
    """Draw the share of first judgements changed after the reveal, with its interval."""
    import altair as alt

    known = [row for row in rows if row.rate.value is not None and row.rate.interval is not None]
    table = _to_table(
        {
            "Reviewer": row.reviewer or EVERYONE,
            "Changed": row.rate.value,
            "low": row.rate.interval.low,  # type: ignore[union-attr]  # filtered above
            "high": row.rate.interval.high,  # type: ignore[union-attr]  # filtered above
            "n": row.rate.n_samples,
        }
        for row in known
    )
    y = _by_reviewer()
    title = "share changed, 95 % interval"
    x = alt.X("low:Q", title=title, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    lines = alt.Chart(table).mark_rule(color=_TEAL, strokeWidth=2).encode(x=x, x2="high:Q", y=y)
    points = alt.Chart(table).mark_point(color=_TEAL, filled=True, size=80)
    points = points.encode(x=alt.X("Changed:Q", title=title), y=y, tooltip=["Reviewer", "Changed", "low", "high", "n"])
    height = _ROW_HEIGHT * len(table) + _AXIS_HEIGHT
    _show(
        (lines + points).properties(height=height), "Share of first judgements changed after the reveal, per reviewer."
    )


def draw_curve(curve: ThresholdCurve, chosen: float) -> None:
    """Draw alerts and unsettled alerts against the threshold; promised thresholds are dashed, the chosen one solid."""
    import altair as alt

    counted = (("alerts", curve.n_alerts), ("of these, not settled", curve.n_waiting))
    table = _to_table(
        {"Threshold": threshold, "Posts": n_posts, "Count": name}
        for name, counts in counted
        for threshold, n_posts in zip(curve.thresholds, counts, strict=True)
    )
    x = alt.X("Threshold:Q", title="threshold", scale=alt.Scale(domain=[0, 1]))
    names = [name for name, _ in counted]
    lines = alt.Chart(table).mark_line(interpolate="step-before")
    lines = lines.encode(
        x=x,
        y=alt.Y("Posts:Q", title="posts"),
        color=alt.Color("Count:N", scale=alt.Scale(domain=names, range=[_TEAL, _RUST]), legend=_bottom()),
        strokeDash=alt.StrokeDash("Count:N", scale=alt.Scale(domain=names, range=[[1, 0], [2, 2]]), legend=_bottom()),
        tooltip=["Threshold", "Posts", "Count"],
    )
    layers = [
        lines,
        alt.Chart(_to_table([{"Threshold": chosen}])).mark_rule(strokeWidth=2, color="#7a8a88").encode(x=x),
    ]
    if curve.promises:
        promised = _to_table({"Threshold": promise.threshold} for promise in curve.promises)
        layers.append(alt.Chart(promised).mark_rule(strokeDash=[6, 4], strokeWidth=1.5, color="#7a8a88").encode(x=x))
    _show(alt.layer(*layers).properties(height=280), "Alerts and unsettled alerts against the threshold.")


def _by_reviewer() -> Any:
    import altair as alt

    return alt.Y("Reviewer:N", title=None, sort=None, axis=alt.Axis(labelOverlap=False), scale=alt.Scale(padding=0.25))


def _bottom() -> Any:
    import altair as alt

    return alt.Legend(orient="bottom", title=None)


def _to_table(rows: Any) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows))


def _show(chart: Any, alt_text: str) -> None:
    st.altair_chart(chart, width="stretch", alt=alt_text)
