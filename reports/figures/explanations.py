"""Pictures of what masking words does to a score, drawn from the table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.figures.svg import COLOURS, MARKERS, Picture, drawing, finish_axes, write_picture

LINES = (
    ("comprehensiveness", "marked words masked", 0, "-"),
    ("comprehensiveness_random", "random words masked", 1, "-"),
    ("sufficiency", "all but marked words masked", 0, ":"),
    ("sufficiency_random", "all but random words masked", 1, ":"),
)


def plot_masking(table: pd.DataFrame, split: str) -> Picture:
    """Draw the fall of the score over the share of words, marked beside random.

    Parameters
    ----------
    table : DataFrame
        One row per share of words, the last one their mean; ``share`` and, for each line, its value with ``_low`` and
        ``_high``.
    split : str
        Where the posts come from, for the title.
    """
    shares = table.iloc[:-1]
    places = range(len(shares))
    with drawing(6.0, 4.0) as (canvas, axes):
        for i, (name, words, colour, line) in enumerate(LINES):
            style: dict[str, Any] = {"color": COLOURS[colour], "marker": MARKERS[i], "linestyle": line, "capsize": 2}
            middle = shares[name].astype(float)
            spread = [(middle - shares[f"{name}_low"]).clip(lower=0), (shares[f"{name}_high"] - middle).clip(lower=0)]
            axes.errorbar(places, middle, yerr=spread, label=words, **style)
        axes.set_xticks(list(places), shares["share"])
        finish_axes(axes, "share of words", "fall of the explained score")
        mean = table.iloc[-1]
        description = (
            "Solid lines: the further the marked line lies above the random one, the more the score depended on the "
            "marked words. Dotted lines: the further the marked line lies below, the more of the score they carry "
            "alone. Bars are 95% intervals over posts. On average masking marked words lowers the score by "
            f"{mean['comprehensiveness']:.2f}, masking random words by {mean['comprehensiveness_random']:.2f}."
        )
        title = f"What masking words does to the score, {split}"
        return write_picture(canvas, "figure-masking", title, description)
