"""Pictures of what happens to recall after changes of the text, drawn from the table."""

from __future__ import annotations

import pandas as pd

from reports.figures.svg import COLOURS, INK, MARKERS, Picture, drawing, finish_axes, write_picture


def plot_recall_changes(table: pd.DataFrame, target: str) -> Picture:
    """Draw the difference of recall with its interval, one row per ``perturbation``."""
    names = [str(name).replace("_", " ") for name in table["perturbation"]]
    places = range(len(table))[::-1]
    with drawing(6.0, 0.9 + 0.38 * len(table)) as (canvas, axes):
        points = 100 * table[["difference", "difference_low", "difference_high"]]
        middle = points["difference"]
        spread = [(middle - points["difference_low"]).clip(lower=0), (points["difference_high"] - middle).clip(lower=0)]
        axes.axvline(0, color=INK, linewidth=1, linestyle="--")
        axes.errorbar(middle, places, xerr=spread, color=COLOURS[0], marker=MARKERS[0], linestyle="", capsize=3)
        axes.set_yticks(list(places), names)
        axes.set_ylim(-0.6, len(table) - 0.4)
        finish_axes(axes, f"change of recall of {target}, percentage points", "")
        description = (
            "Recall after each change less recall before, with 95% intervals; left of the dashed line flags are lost. "
            f"{_describe_worst(table)}"
        )
        title = f"Recall of {target} after changes of the text, test split"
        return write_picture(canvas, "figure-robustness", title, description)


def _describe_worst(table: pd.DataFrame) -> str:
    worst = table.nsmallest(1, "difference").iloc[0]
    if worst["difference"] >= 0:
        return "Recall falls after no change."
    fall = f"{-100 * worst['difference']:.1f} points"
    return f"The largest fall is {fall} ({worst['description']}, n = {worst['n_posts']:.0f})."
