"""The closing table of a run, and the few numbers that go to MLflow."""

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
    table = Table(title=f"run {results.config.name}: test split, n = {len(results.test):,}")
    table.add_column("target")
    for heading in ("recall promised", "recall found (95% interval)", "threshold", "alerts per 1,000", "precision"):
        table.add_column(heading, justify="right")
    points = results.point_by_target
    for row in build_performance(results).frame.to_dict("records"):
        point = points[row["target"]]
        table.add_row(
            row["target"],
            f"≥ {point.target_recall:.0%} at {point.confidence_level:.0%}",
            f"{row['recall']:.3f} ({row['recall_low']:.3f}–{row['recall_high']:.3f})",
            f"{point.threshold:.4f}",
            f"{row['alerts_per_1000']:.0f}",
            f"{row['ppv']:.3f}",
        )
    synthetic = "Synthetic posts: these numbers mean nothing about people. " if results.is_synthetic else ""
    table.caption = f"{synthetic}Report: {folder.report / 'index.html'}"
    return table
