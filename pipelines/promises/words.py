"""What recalibrating says: old and new thresholds side by side, and what the new promises rest on."""

import pandas as pd
from rich.table import Table

from pipelines.promises.recalibrating import Recalibrated
from screening.metrics.intervals import compute_proportion_interval
from screening.thresholds.operating_point import OperatingPoint


def build_recalibration_table(done: Recalibrated) -> Table:
    """Lay out, per target, what the old thresholds do on these posts and what the new ones promise."""
    table = Table(title=f"{len(done.scores):,} labelled posts", title_justify="left")
    for heading in ("", *(point.name for point in done.after)):
        table.add_column(heading, justify="right")
    pairs = list(zip(done.before, done.after, strict=True))
    table.add_row("positive posts", *(f"{_find_positive(done, point).sum():,}" for point in done.after))
    table.add_row("threshold before", *(f"{before.threshold:.4g}" for before, _ in pairs))
    table.add_row("recall of posts before", *(_estimate_recall(done, before, after.unit) for before, after in pairs))
    table.add_row("alerts per 1,000 before", *(_count_alerts(done, before) for before, _ in pairs))
    table.add_row("threshold now", *(f"{after.threshold:.4g}" for _, after in pairs))
    table.add_row(
        "recall promised now",
        *(f"{after.target_recall:g}, confidence {after.confidence_level:g}" for _, after in pairs),
    )
    table.add_row("alerts per 1,000 now", *(_count_alerts(done, after) for _, after in pairs))
    return table


def describe_limits(done: Recalibrated) -> list[str]:
    """Say in sentences what the new promises rest on, and what of the old ones they leave out."""
    counts = done.scores["label"].value_counts()
    lines = ["labels: " + ", ".join(f"{name} {n:,}" for name, n in counts.items())]
    for before, after in zip(done.before, done.after, strict=True):
        absent = [name for name in after.labels if name not in counts]
        if absent:
            lines.append(
                f"{after.name}: no post is labelled {', '.join(absent)}, so nothing is promised about such posts"
            )
        lost = _list_lost(before, after)
        if lost:
            lines.append(f"{after.name}: the bundle before promised {'; '.join(lost)}; the new one does not")
    if done.n_dropped:
        lines.append(f"left out: {done.n_dropped:,} posts that repeat others, or posts the model was fitted on")
    if not done.is_checked:
        lines.append("the run's training posts are not beside the bundle: none of them may be among these posts")
    lines.append("another try on the same posts, with another recall say, spends the confidence again")
    return lines


def _find_positive(done: Recalibrated, point: OperatingPoint) -> pd.Series:
    return done.scores["label"].isin(point.labels)


def _estimate_recall(done: Recalibrated, point: OperatingPoint, unit: str) -> str:
    """Write the share of positive posts found, with its exact interval where posts are what is drawn."""
    found = point.flag(done.scores[f"risk_{point.name}"].to_numpy())[_find_positive(done, point)]
    interval = compute_proportion_interval(int(found.sum()), len(found))
    return f"{found.mean():.3f}" + (f" ({interval.low:.3f}–{interval.high:.3f})" if unit == "post" else "")


def _count_alerts(done: Recalibrated, point: OperatingPoint) -> str:
    return f"{1_000 * point.flag(done.scores[f'risk_{point.name}'].to_numpy()).mean():.0f}"


def _list_lost(before: OperatingPoint, after: OperatingPoint) -> list[str]:
    """List what the point before promised beyond what this one does."""
    columns = {group.column for group in before.groups} - {group.column for group in after.groups}
    pairs = (
        (before.target_recall > after.target_recall, f"a recall of {before.target_recall:g}"),
        (before.confidence_level > after.confidence_level, f"confidence {before.confidence_level:g}"),
        (before.n_promises > after.n_promises, f"{before.n_promises} recalls at once"),
        (before.unit == "author" and after.unit == "post", "by author"),
        (bool(columns), f"in each group of {', '.join(sorted(columns))}"),
    )
    return [words for is_lost, words in pairs if is_lost]
