"""The closing table of a run, and the few numbers that go to MLflow."""

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd
from rich.table import Table

from pipelines.artifacts import RunFolder
from reports.results import RunResults
from reports.sections.classification import build_summary
from reports.sections.cost import build_alerts
from reports.sections.recall import build_performance


def compute_headline_metrics(results: RunResults) -> dict[str, float | None]:
    """Collect test metrics by name: per target recall with interval and alerts, and the class metrics.

    Alerts on controls stand under their kind, with every character but ``A-Za-z0-9_.-`` replaced by ``_``.
    """
    metrics: dict[str, float | None] = {}
    for row in build_performance(results).frame.to_dict("records"):
        for name in ("recall", "recall_low", "recall_high", "specificity", "ppv", "npv", "alerts_per_1000"):
            metrics[f"test_{row['target']}_{name}"] = row.get(name)
    alerts = build_alerts(results).frame
    names = _name_kinds(kind for kind in alerts["posts"] if kind != "test")
    for row in alerts.to_dict("records"):
        if row["posts"] != "test":
            metrics[f"{names[row['posts']]}_{row['target']}_alerts_per_1000"] = row["alerts_per_1000"]
    for row in build_summary(results).frame.to_dict("records"):
        metrics[f"test_{row['metric']}"] = row["value"]
    return metrics


def _name_kinds(kinds: Iterable[str]) -> dict[str, str]:
    """Give every kind of controls a name that a tracker accepts, no two the same and none that of the test split."""
    names: dict[str, str] = {}
    taken = {"test"}
    for kind in dict.fromkeys(kinds):
        base = re.sub(r"[^A-Za-z0-9_.-]", "_", kind.removeprefix("controls: "))
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        names[kind] = name
    return names


def build_closing_table(results: RunResults, folder: RunFolder) -> Table:
    """Show what a reader wants first: recall promised and found, threshold, alerts, where the report is."""
    table = Table(title=f"run {results.config.name}: test split, n = {len(results.test):,}", title_justify="left")
    table.add_column("")
    rows = build_performance(results).frame.to_dict("records")
    for row in rows:
        table.add_column(str(row["target"]), justify="right", overflow="fold")
    points = [results.point_by_target[row["target"]] for row in rows]
    table.add_row("recall promised", *(f"{p.target_recall:.3g}, confidence {p.confidence_level:.3g}" for p in points))
    table.add_row("recall found", *(_format(row, "recall", 3) for row in rows))
    if any("author_recall" in row for row in rows):
        table.add_row("recall found, by author", *(_format(row, "author_recall", 3) for row in rows))
    table.add_row("threshold", *(f"{point.threshold:.4f}" for point in points))
    table.add_row("alerts per 1,000", *(_format(row, "alerts_per_1000", 0) for row in rows))
    table.add_row("precision", *(_format(row, "ppv", 3) for row in rows))
    if results.is_synthetic:
        table.add_row("note", *("synthetic posts: says nothing about people" for _ in rows))
    table.caption = f"Intervals: 95%. Report: {folder.report / 'index.html'}"
    table.caption_justify = "left"
    return table


def _format(row: dict[Any, Any], name: str, digits: int) -> str:
    if pd.isna(row[name]):
        return "not known"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
