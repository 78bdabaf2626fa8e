"""The picture of a first stage's thresholds, drawn from a table: nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reports.figures.svg import COLOURS, INK, MARKERS, Picture, drawing, finish_axes, write_picture


def plot_cascade_curve(curve: pd.DataFrame, targets: Sequence[str]) -> Picture:
    """Draw the share of controls cleared against the share of held-out posts lost.

    Parameters
    ----------
    curve : DataFrame
        ``cleared``, ``lost_<target>`` for every target, and ``is_chosen`` ("yes" at the chosen threshold).
    targets : sequence of str
    """
    chosen = curve[curve["is_chosen"] == "yes"]
    with drawing(6.0, 3.4) as (canvas, axes):
        for i, target in enumerate(targets):
            style: dict[str, Any] = {"color": COLOURS[i], "drawstyle": "steps-pre", "label": f"posts of {target}"}
            axes.plot(curve[f"lost_{target}"], curve["cleared"], **style)
            mark: dict[str, Any] = {"color": COLOURS[i], "markeredgecolor": INK, "markersize": 9}
            axes.plot(chosen[f"lost_{target}"], chosen["cleared"], MARKERS[i], **mark)
        finish_axes(axes, "held-out posts lost", "controls cleared unread", percent_x=True, percent_y=True)
        axes.set(xlim=(-0.002, None), ylim=(0, 1.02))
        words = "Marked: the threshold of this run. Further right, the first stage spares more and loses more."
        if len(chosen):
            row = chosen.iloc[0]
            lost = ", ".join(f"{row[f'lost_{target}']:.1%} of {target}" for target in targets)
            words += f" Here it clears {row['cleared']:.1%} of controls and loses {lost} of held-out posts."
        return write_picture(canvas, "figure-cascade", "What the first stage clears, and what it loses", words)
