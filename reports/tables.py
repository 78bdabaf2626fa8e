"""A table with the words around it, and how its cells read on a page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Kind = Literal["text", "count", "fraction", "percent_points", "number", "score"]
UNDEFINED = "–"


@dataclass(frozen=True)
class Column:
    """One column of a page: where its value stands and how it reads.

    With ``interval``, ``{key}_low`` and ``{key}_high`` are shown beside the value (``low`` and ``high`` where the key is
    ``value``); ``n_key`` names its sample size.
    """

    key: str
    heading: str
    kind: Kind = "text"
    interval: bool = False
    n_key: str | None = None

    @property
    def bounds(self) -> tuple[str, str]:
        """Keys of the interval's ends."""
        return ("low", "high") if self.key == "value" else (f"{self.key}_low", f"{self.key}_high")


@dataclass(frozen=True)
class Cell:
    """A value as text, with the smaller text under it."""

    value: str
    detail: str = ""


@dataclass(frozen=True)
class Table:
    """Numbers (``frame``: every column goes to CSV and JSON) and the columns a page shows.

    ``split`` names the posts the numbers come from; ``note`` is what a reader must know before using them.
    """

    name: str
    title: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    split: str
    note: str = ""

    @property
    def rows(self) -> list[list[Cell]]:
        """Cells as they read on a page."""
        records = self.frame.to_dict(orient="records")
        return [[format_cell(record, column) for column in self.columns] for record in records]


def format_cell(record: Mapping[Hashable, Any], column: Column) -> Cell:
    """Write one cell: the value, then its interval and n."""
    value = format_value(record.get(column.key), column.kind)
    if value == UNDEFINED:
        return Cell(value)
    details = []
    if column.interval:
        low, high = (format_value(record.get(key), column.kind) for key in column.bounds)
        if UNDEFINED not in (low, high):
            details.append(f"{low} to {high}")
    if column.n_key:
        details.append(f"n = {format_value(record.get(column.n_key), 'count')}")
    return Cell(value, ", ".join(details))


def format_value(value: Any, kind: Kind = "text") -> str:
    """Write a value the way its kind reads; undefined values become a dash.

    Examples
    --------
    >>> format_value(0.9531, "fraction"), format_value(12034, "count"), format_value(float("nan"), "number")
    ('95.3%', '12,034', '–')
    """
    if is_undefined(value):
        return UNDEFINED
    if kind == "text" or isinstance(value, str):
        return str(value)
    if kind == "count":
        return f"{round(value):,}"
    if kind == "fraction":
        return f"{_trim(100 * value)}%"
    if kind == "percent_points":
        return f"{100 * value:+.1f}".replace("-", "−")
    if kind == "score":
        return f"{value:.4f}"
    return _format_number(float(value))


def is_undefined(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN or a missing value."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _trim(percent: float) -> str:
    """One decimal, two below one percent, so that 0.10% does not read as 0.1 or 0."""
    return f"{percent:.2f}" if 0 < abs(percent) < 1 else f"{percent:.1f}"


def _format_number(value: float) -> str:
    if math.isinf(value):
        return "∞"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"
