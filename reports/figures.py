"""Pictures drawn from tables: nothing is computed here."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from reports.svg import COLOURS, INK, MARKERS, Picture, drawing, write_picture


def plot_precision_recall(curve: pd.DataFrame, points: pd.DataFrame, split: str) -> Picture:
    """Draw precision against recall per target, with the operating point of each.

    Parameters
    ----------
    curve : DataFrame
        ``target``, ``recall``, ``precision``.
    points : DataFrame
        ``target``, ``recall``, ``ppv`` (precision at the operating point).
    split : str
        Where the posts come from, for the title.
    """
    with drawing() as (canvas, axes):
        for i, (target, part) in enumerate(curve.groupby("target", sort=False)):
            axes.plot(part["recall"], part["precision"], color=COLOURS[i], label=str(target), drawstyle="steps-post")
            point = points[points["target"] == target]
            axes.plot(point["recall"], point["ppv"], MARKERS[i], color=COLOURS[i], markeredgecolor=INK, markersize=9)
        _finish(axes, "recall", "precision (PPV)", percent_x=True, percent_y=True)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        words = "; ".join(
            f"{row.target}: precision {row.ppv:.1%} at recall {row.recall:.1%}" for row in points.itertuples()
        )
        title = f"Precision and recall at every threshold, {split}"
        return write_picture(canvas, "figure-precision-recall", title, f"Marked operating points. {words}.")


def plot_recall_alerts(curve: pd.DataFrame, points: pd.DataFrame, split: str) -> Picture:
    """Draw recall against alerts per 1,000 posts per target (``target``, ``alerts_per_1000``, ``recall``)."""
    with drawing() as (canvas, axes):
        for i, (target, part) in enumerate(curve.groupby("target", sort=False)):
            axes.plot(part["alerts_per_1000"], part["recall"], color=COLOURS[i], label=str(target))
            point = points[points["target"] == target]
            x, y = point["alerts_per_1000"], point["recall"]
            axes.plot(x, y, MARKERS[i], color=COLOURS[i], markeredgecolor=INK, markersize=9)
            axes.axhline(float(point["target_recall"].iloc[0]), color=COLOURS[i], linestyle=":", linewidth=1)
        _finish(axes, "alerts per 1,000 posts", "recall", percent_y=True)
        axes.set(xlim=(0, 1020), ylim=(0, 1.02))
        words = "; ".join(
            f"{row.target}: recall {row.recall:.1%} costs {row.alerts_per_1000:.0f} alerts per 1,000 posts"
            for row in points.itertuples()
        )
        title = f"What recall costs in alerts, {split}"
        return write_picture(
            canvas, "figure-recall-alerts", title, f"Dotted lines: promised recall. Marked operating points. {words}."
        )


def plot_reliability(table: pd.DataFrame, split: str) -> Picture:
    """Draw the observed share against the mean score per bin (``target``, ``mean_score``, ``observed`` with bounds)."""
    with drawing(4.8, 4.4) as (canvas, axes):
        axes.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1, label="perfect calibration")
        for i, (target, part) in enumerate(table.groupby("target", sort=False)):
            middle = part["observed"]
            spread = [(middle - part["observed_low"]).clip(lower=0), (part["observed_high"] - middle).clip(lower=0)]
            style: dict[str, Any] = {"color": COLOURS[i], "marker": MARKERS[i], "capsize": 2, "label": str(target)}
            axes.errorbar(part["mean_score"], middle, yerr=spread, **style)
        _finish(axes, "mean risk score of the bin", "share of risk posts in the bin", percent_x=True, percent_y=True)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        description = (
            "Each mark is a bin of posts with similar scores; bars are 95% intervals. "
            "On the dashed diagonal, scores mean what they say. The numbers are in the table below."
        )
        return write_picture(canvas, "figure-reliability", f"Do scores mean what they say? {split}", description)


def plot_confusion(table: pd.DataFrame, split: str) -> Picture:
    """Draw the confusion table (index: true label, columns: predicted label, values: counts), shaded by row share."""
    names = [str(name) for name in table.columns]
    counts = table.to_numpy(dtype=float)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    with drawing(5.6, 4.2) as (canvas, axes):
        axes.pcolormesh(shares[::-1], cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
        for row, column in ((r, c) for r in range(len(names)) for c in range(len(names))):
            ink = "white" if shares[row, column] > 0.5 else "#1b1f24"
            words = f"{counts[row, column]:.0f}"
            axes.text(column + 0.5, len(names) - row - 0.5, words, ha="center", va="center", color=ink)
        ticks = [i + 0.5 for i in range(len(names))]
        axes.set_xticks(ticks, names, rotation=30, ha="right")
        axes.set_yticks(ticks, names[::-1])
        axes.set(xlabel="most probable class", ylabel="label (origin of the post)")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        title = f"Which classes are taken for which, {split}"
        return write_picture(canvas, "figure-confusion", title, _describe_confusion(table))


def plot_scores(histogram: pd.DataFrame, target: str, *, threshold: float, split: str) -> Picture:
    """Draw the share of posts per score bin (``low``, ``high``, ``positive``, ``negative``) and the threshold."""
    with drawing(6.0, 2.6) as (canvas, axes):
        edges = [*histogram["low"], histogram["high"].iloc[-1]]
        for i, (column, words) in enumerate((("negative", "other posts"), ("positive", "posts of the target"))):
            style: dict[str, Any] = {"color": COLOURS[i], "alpha": 0.6, "hatch": ("", "///")[i], "label": words}
            axes.stairs(histogram[column], edges, fill=True, **style)
        axes.axvline(threshold, color=INK, linewidth=1.5, linestyle="--", label=f"threshold {threshold:.3f}")
        _finish(axes, f"risk score {target}", "share of the group", percent_y=True)
        axes.set_xlim(0, 1)
        missed = float(histogram.loc[histogram["high"] <= threshold, "positive"].sum())
        description = (
            "Scores of posts of the target and of other posts, each adding up to 100%. "
            f"The threshold is {threshold:.3f}; whole bins below it hold {missed:.1%} of the target's posts."
        )
        return write_picture(canvas, f"figure-scores-{target}", f"Scores for {target}, {split}", description)


def plot_history(history: pd.DataFrame, columns: tuple[str, ...]) -> Picture:
    """Draw chosen columns of the training history by epoch."""
    with drawing(6.0, 3.0) as (canvas, axes):
        for i, column in enumerate(columns):
            rows = history.dropna(subset=[column])
            axes.plot(rows["epoch"], rows[column], color=COLOURS[i], marker=MARKERS[i], label=column.replace("_", " "))
        _finish(axes, "epoch", "value")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        last = history.iloc[-1]
        words = ", ".join(f"{column.replace('_', ' ')} {last[column]:.3g}" for column in columns)
        return write_picture(canvas, "figure-history", "Training, by epoch", f"After the last epoch: {words}.")


def _finish(axes: Axes, x: str, y: str, *, percent_x: bool = False, percent_y: bool = False) -> None:
    axes.set(xlabel=x, ylabel=y)
    if percent_x:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if percent_y:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="best", fontsize=9)


def _describe_confusion(table: pd.DataFrame) -> str:
    """Say per true label how many posts are right and where most of the others go."""
    sentences = []
    for position, (label, row) in enumerate(table.iterrows()):
        others = row.drop(labels=row.index[position])
        words = f"{label}: {row.iloc[position]:.0f} of {row.sum():.0f} right"
        sentences.append(words + (f", most others read as {others.idxmax()}" if others.sum() else ""))
    return ". ".join(sentences) + "."
