"""What recalibrating and validating say: thresholds side by side or held against posts, and what that rests on."""

import pandas as pd
from rich.table import Table
from rich.text import Text

from pipelines.promises.recalibrating import Recalibrated
from pipelines.promises.validating import FoundTarget, Validation
from screening.metrics.intervals import compute_proportion_interval
from screening.metrics.workload import scale_alert_rate
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Estimate


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


def build_validation_table(found: Validation) -> Table:
    """Lay out, per target, what was promised and what was found, with 95 % intervals."""
    targets = found.targets
    table = Table(title=f"{sum(found.n_by_label.values()):,} labelled posts", title_justify="left")
    for heading in ("", *(target.point.name for target in targets)):
        table.add_column(heading, justify="right")
    table.add_row("positive posts", *(f"{target.result.n_positive:,}" for target in targets))
    promised = (f"{target.point.target_recall:g}, confidence {target.point.confidence_level:g}" for target in targets)
    table.add_row("recall promised", *promised)
    of_posts = (_write(target.result.recall, has_interval=target.point.unit == "post") for target in targets)
    table.add_row("recall found", *of_posts)
    if any(target.point.unit == "author" for target in targets):
        by_author = (target.recall if target.point.unit == "author" else None for target in targets)
        table.add_row("by author", *("" if recall is None else _write(recall) for recall in by_author))
    table.add_row("the promise is", *(target.verdict for target in targets))
    table.add_row("precision", *(_write(target.result.ppv) for target in targets))
    table.add_row("alerts per 1,000", *(_write(scale_alert_rate(target.result.alert_rate), 0) for target in targets))
    table.add_row("specificity", *(_write(target.result.specificity) for target in targets))
    table.add_row("area under the ROC curve", *(_write(target.roc_area) for target in targets))
    return table


def build_group_tables(found: Validation) -> list[Table]:
    """Lay out recall and alerts in each group, a table per target; none if no groups were asked for."""
    return [_build_group_table(target) for target in found.targets if target.groups]


def _build_group_table(target: FoundTarget) -> Table:
    is_promised = any(group.verdict for group in target.groups)
    table = Table(title=f"{target.point.name}, by group", title_justify="left")
    table.add_column("", overflow="fold")
    for heading in ("positive posts", "recall found", "alerts per 1,000", *(["the promise is"] * is_promised)):
        table.add_column(heading, justify="right")
    for group in target.groups:
        figures = f"{group.recall.n_samples:,}", _write(group.recall), _write(scale_alert_rate(group.alert_rate), 0)
        verdict = [group.verdict or ""] * is_promised
        table.add_row(Text(f"{group.column}={group.group}"), *figures, *verdict)
    return table


def describe_validation(found: Validation) -> list[str]:
    """Say in sentences what the figures rest on, and what to do where a promise does not hold here."""
    lines = ["labels: " + ", ".join(f"{name} {n:,}" for name, n in found.n_by_label.items())]
    if found.n_dropped:
        lines.append(f"left out: {found.n_dropped:,} posts that repeat others, or posts the bundle was fitted on")
    if not found.is_checked:
        lines.append("not all posts the bundle was fitted on are at hand: none of them may be among these posts")
    n_posts, targets = sum(found.n_by_label.values()), found.targets
    if any(target.point.unit == "author" for target in targets):
        lines.append("intervals count posts of one author as independent; what is by author judges the promise")
        lines.append(
            f"a promise is by author, and {found.n_without_author:,} of {n_posts:,} posts have none: each counts as one"
            if found.n_without_author < n_posts
            else "a promise is by author, and no author is known here: name the column, --author-column"
        )
    lines.extend(
        f"{target.point.name}: no post is labelled {' or '.join(target.point.labels)}, so nothing is known of recall"
        for target in targets
        if not target.result.n_positive
    )
    if missing := _list_unseen(found):
        lines.append(f"recall is promised in groups that are not judged here: {missing}; name them, --group-column")
    if any(target.groups for target in targets):
        lines.append("intervals of groups are not corrected for the number of groups; verdicts on them are")
    if found.is_synthetic:
        lines.append("this model was trained on synthetic posts: its scores mean nothing about people")
    if found.is_contradicted:
        lines.append(
            "contradicted: most likely these posts are of another kind than those the promise was made for, or "
            "labelled by another rule; by chance alone it happens to about one kept promise in forty. Do not rely on "
            "it here; make it anew: screening recalibrate"
        )
    return lines


def _list_unseen(found: Validation) -> str:
    """List the groups of a promise that no verdict is about."""
    seen = {(group.column, group.group) for target in found.targets for group in target.groups}
    promised = {(group.column, group.group) for target in found.targets for group in target.point.groups}
    return ", ".join(f"{column}={group}" for column, group in sorted(promised - seen))


def _write(found: Estimate, digits: int = 3, *, has_interval: bool = True) -> str:
    """Write an estimate with its interval."""
    if found.value is None or found.interval is None:
        return "not known"
    if not has_interval:
        return f"{found.value:.{digits}f}"
    low, high = found.interval.low, found.interval.high
    return f"{found.value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


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
