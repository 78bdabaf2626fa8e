"""The one look of all pictures, and their way into inline SVG that a page, a printer and a screen reader can use."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import PercentFormatter

# Okabe and Ito's palette without yellow: told apart with every common colour vision, and readable on white and on dark.
# They repeat for taxonomies of many targets.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00") * 20
MARKERS = ("o", "s", "^", "D", "v", "P") * 20
INK = "#123456"  # stands for the colour of the page's text, put in as currentColor
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names of labels may hold a dollar sign
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.18,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
}


@dataclass(frozen=True)
class Picture:
    """Inline SVG with its title and the sentences that stand for it where it cannot be seen."""

    name: str
    title: str
    description: str
    svg: str


@contextmanager
def drawing(width: float = 6.0, height: float = 3.8) -> Iterator[tuple[Canvas, Axes]]:
    """Open a transparent figure with one axes in the house style; size in inches of 72 points."""
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(canvas)
        yield canvas, canvas.add_subplot()


def finish_axes(axes: Axes, x: str, y: str, *, percent_x: bool = False, percent_y: bool = False) -> None:
    """Name the axes, write shares as percent, and put in a legend where something has a name."""
    axes.set(xlabel=x, ylabel=y)
    if percent_x:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if percent_y:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=9)


def write_picture(canvas: Canvas, name: str, title: str, description: str) -> Picture:
    """Render a figure; call inside :func:`drawing`, where the style holds.

    Identifiers get the picture's name as prefix, so that several pictures stand in one page.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = _strip(buffer.getvalue())
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = svg.replace(INK, "currentColor")
    label = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    words = (
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    svg = re.sub(r"<svg ([^>]*)>", lambda found: f"<svg {label} {_flexible(found[1])}>{words}", svg, count=1)
    return Picture(name, title, description, svg)


def _strip(svg: str) -> str:
    """Drop what inline SVG does not need: the XML head, the metadata block, line breaks between tags."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # line joins: the page's style sheet says it
    return re.sub(r">\s+<", "><", svg)


def _flexible(attributes: str) -> str:
    """Let the page set the size; the view box keeps the shape."""
    return re.sub(r'\b(?:width|height)="[^"]*"\s*', "", attributes)
