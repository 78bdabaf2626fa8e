"""Pictures of a classifier's scores, mistakes and training, drawn from tables: nothing is computed here."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.ticker import MaxNLocator

from reports.figures.svg import COLOURS, INK, MARKERS, Picture, drawing, finish_axes, write_picture


def plot_reliability(table: pd.DataFrame, split: str) -> Picture:
    """Draw the observed share against the mean score per bin (``target``, ``mean_score``, ``observed`` with bounds)."""
    with drawing(4.8, 4.4) as (canvas, axes):
        axes.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1, label="perfect calibration")
        for i, (target, part) in enumerate(table.groupby("target", sort=False)):
            middle = part["observed"]
            spread = [(middle - part["observed_low"]).clip(lower=0), (part["observed_high"] - middle).clip(lower=0)]
            style: dict[str, Any] = {"color": COLOURS[i], "marker": MARKERS[i], "capsize": 2, "label": str(target)}
            axes.errorbar(part["mean_score"], middle, yerr=spread, **style)
        finish_axes(
            axes, "mean risk score of the bin", "share of risk posts in the bin", percent_x=True, percent_y=True
        )
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
        finish_axes(axes, f"risk score {target}", "share of the group", percent_y=True)
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
        finish_axes(axes, "epoch", "value")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        last = history.iloc[-1]
        words = ", ".join(f"{column.replace('_', ' ')} {last[column]:.3g}" for column in columns)
        return write_picture(canvas, "figure-history", "Training, by epoch", f"After the last epoch: {words}.")


def _describe_confusion(table: pd.DataFrame) -> str:
    """Say per true label how many posts are right and where most of the others go."""
    sentences = []
    for position, (label, row) in enumerate(table.iterrows()):
        others = row.drop(labels=row.index[position])
        words = f"{label}: {row.iloc[position]:.0f} of {row.sum():.0f} right"
        sentences.append(words + (f", most others read as {others.idxmax()}" if others.sum() else ""))
    return ". ".join(sentences) + "."
