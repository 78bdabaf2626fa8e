"""The closing table of a run, and the few numbers that go to MLflow."""

from typing import Any

from rich.table import Table

from pipelines.artifacts import RunFolder
from reports.classification import build_summary
from reports.recall import build_alerts, build_performance
from reports.results import RunResults


def compute_headline_metrics(results: RunResults) -> dict[str, float | None]:
    """Collect test metrics by name: per target recall with interval and alerts, and the class metrics."""
    metrics: dict[str, float | None] = {}
    for row in build_performance(results).frame.to_dict("records"):
        for name in ("recall", "recall_low", "recall_high", "specificity", "ppv", "npv", "alerts_per_1000"):
            metrics[f"test_{row['target']}_{name}"] = row.get(name)
    for row in build_alerts(results).frame.to_dict("records"):
        if row["posts"] != "test":
            kind = str(row["posts"]).removeprefix("controls: ")
            metrics[f"{kind}_{row['target']}_alerts_per_1000"] = row["alerts_per_1000"]
    for row in build_summary(results).frame.to_dict("records"):
        metrics[f"test_{row['metric']}"] = row["value"]
    return metrics


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
    table.add_row("threshold", *(f"{point.threshold:.4f}" for point in points))
    table.add_row("alerts per 1,000", *(_format(row, "alerts_per_1000", 0) for row in rows))
    table.add_row("precision", *(_format(row, "ppv", 3) for row in rows))
    if results.is_synthetic:
        table.add_row("note", *("synthetic posts: says nothing about people" for _ in rows))
    table.caption = f"Intervals: 95%. Report: {folder.report / 'index.html'}"
    table.caption_justify = "left"
    return table


def _format(row: dict[Any, Any], name: str, digits: int) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
