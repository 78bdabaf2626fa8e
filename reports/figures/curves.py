"""Pictures of curves over thresholds, drawn from tables: nothing is computed here."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.figures.svg import COLOURS, INK, MARKERS, Picture, drawing, finish_axes, write_picture

DASHES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1))) * 20


def plot_precision_recall(curve: pd.DataFrame, points: pd.DataFrame, split: str) -> Picture:
    """Draw precision against recall per target, with the operating point of each.

    Parameters
    ----------
    curve : DataFrame
        ``target``, ``recall``, ``precision``.
    points : DataFrame
        ``target``, ``recall``, ``ppv`` (precision at the operating point); no rows without operating points.
    split : str
        Where the posts come from, for the title.
    """
    with drawing() as (canvas, axes):
        for i, (target, part) in enumerate(curve.groupby("target", sort=False)):
            style: dict[str, Any] = {"color": COLOURS[i], "linestyle": DASHES[i], "label": str(target)}
            axes.plot(part["recall"], part["precision"], drawstyle="steps-post", **style)
            point = points[points["target"] == target]
            axes.plot(point["recall"], point["ppv"], MARKERS[i], color=COLOURS[i], markeredgecolor=INK, markersize=9)
        finish_axes(axes, "recall", "precision (PPV)", percent_x=True, percent_y=True)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        words = _describe_points(points, "precision {0.ppv:.1%} at recall {0.recall:.1%}")
        title = f"Precision and recall at every threshold, {split}"
        return write_picture(canvas, "figure-precision-recall", title, words)


def plot_roc(curve: pd.DataFrame, points: pd.DataFrame, split: str) -> Picture:
    """Draw recall against the false-alarm rate per target (``target``, ``recall``, ``false_alarm_rate``).

    ``points``: ``target``, ``recall``, ``specificity`` at the operating point; no rows without operating points.
    """
    with drawing() as (canvas, axes):
        axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1, label="chance")
        for i, (target, part) in enumerate(curve.groupby("target", sort=False)):
            style: dict[str, Any] = {"color": COLOURS[i], "linestyle": DASHES[i], "label": str(target)}
            axes.plot([0, *part["false_alarm_rate"]], [0, *part["recall"]], **style)
            point = points[points["target"] == target].astype({"specificity": float})
            place: dict[str, Any] = {"color": COLOURS[i], "markeredgecolor": INK, "markersize": 9}
            axes.plot(1 - point["specificity"], point["recall"], MARKERS[i], **place)
        finish_axes(axes, "false alarms (1 − specificity)", "recall", percent_x=True, percent_y=True)
        axes.set(xlim=(-0.01, 1.01), ylim=(0, 1.02))
        words = _describe_points(points, "recall {0.recall:.1%} at specificity {0.specificity:.1%}")
        return write_picture(canvas, "figure-roc", f"ROC: recall against false alarms, {split}", words)


def plot_recall_alerts(curve: pd.DataFrame, points: pd.DataFrame, split: str) -> Picture:
    """Draw recall against alerts per 1,000 posts per target (``target``, ``alerts_per_1000``, ``recall``)."""
    with drawing() as (canvas, axes):
        for i, (target, part) in enumerate(curve.groupby("target", sort=False)):
            style: dict[str, Any] = {"color": COLOURS[i], "linestyle": DASHES[i], "label": str(target)}
            axes.plot(part["alerts_per_1000"], part["recall"], **style)
            point = points[points["target"] == target]
            x, y = point["alerts_per_1000"], point["recall"]
            axes.plot(x, y, MARKERS[i], color=COLOURS[i], markeredgecolor=INK, markersize=9)
            for promised in point["target_recall"].astype(float):
                axes.axhline(promised, color=COLOURS[i], linestyle=":", linewidth=1)
        finish_axes(axes, "alerts per 1,000 posts", "recall", percent_y=True)
        axes.set(xlim=(0, 1020), ylim=(0, 1.02))
        words = _describe_points(points, "recall {0.recall:.1%} costs {0.alerts_per_1000:.0f} alerts per 1,000 posts")
        if len(points):
            words = f"Dotted lines: promised recall. {words}"
        return write_picture(canvas, "figure-recall-alerts", f"What recall costs in alerts, {split}", words)


def plot_decision_curve(curve: pd.DataFrame, target: str, split: str) -> Picture:
    """Draw net benefit per 1,000 posts against threshold probability, beside reading every post and none.

    Parameters
    ----------
    curve : DataFrame
        ``threshold_probability``, ``net_benefit``, ``net_benefit_all``, ``net_benefit_none`` (per 1,000 posts).
    """
    lines = {"net_benefit": "this screener", "net_benefit_all": "read every post", "net_benefit_none": "read none"}
    with drawing(6.0, 3.4) as (canvas, axes):
        for i, (name, words) in enumerate(lines.items()):
            style: dict[str, Any] = {"color": (*COLOURS[:2], INK)[i], "linestyle": DASHES[i], "label": words}
            axes.plot(curve["threshold_probability"], curve[name], **style)
        finish_axes(axes, "threshold probability", "net benefit per 1,000 posts", percent_x=True)
        top = float(curve[list(lines)].to_numpy().max())
        axes.set(ylim=(-0.15 * max(top, 1), 1.05 * max(top, 1)))
        best = curve[list(lines)[1:]].max(axis=1)
        share = float((curve["net_benefit"] > best).mean())
        description = (
            f"Above both other lines at {share:.0%} of the threshold probabilities shown. Lines that fall below the "
            "picture are worth less than reading nothing."
        )
        return write_picture(canvas, f"figure-decision-{target}", f"Net benefit for {target}, {split}", description)


def _describe_points(points: pd.DataFrame, words: str) -> str:
    """Say where the operating points lie; rates that are undefined are left out."""
    known = points.dropna(subset=[name for name in ("recall", "ppv") if name in points])
    if known.empty:
        return "No operating point is marked."
    return f"Marked operating points. {'; '.join(f'{row.target}: {words.format(row)}' for row in known.itertuples())}."
