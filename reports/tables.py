"""A table with the words around it, and how its cells read on a page."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Kind = Literal["text", "count", "fraction", "percent_points", "number", "score", "signed", "ratio", "p_value"]
UNDEFINED = "–"


@dataclass(frozen=True)
class Column:
    """One column of a page: where its value stands and how it reads.

    With ``interval``, ``{key}_low`` and ``{key}_high`` are shown under the value (``low`` and ``high`` where the key is
    ``value``); ``share_key`` names the share a count stands for, ``n_key`` the sample size, ``link_key`` the section of
    the page that the value leads to.
    """

    key: str
    heading: str
    kind: Kind = "text"
    interval: bool = False
    n_key: str | None = None
    share_key: str | None = None
    link_key: str | None = None

    @property
    def bounds(self) -> tuple[str, str]:
        """Keys of the interval's ends."""
        return ("low", "high") if self.key == "value" else (f"{self.key}_low", f"{self.key}_high")

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key of a row that the column reads."""
        others = (self.share_key, self.n_key)
        return (self.key, *(self.bounds if self.interval else ()), *(key for key in others if key))


@dataclass(frozen=True)
class Cell:
    """A value as text, with the smaller lines under it; ``link`` names a section of the page, empty for none."""

    value: str
    details: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class Table:
    """Numbers (``frame``: every column goes to CSV and JSON) and the columns a page shows.

    ``split`` names the posts the numbers come from; ``note`` is what a reader must know before using them. A frame
    without rows gets the columns all the same.
    """

    name: str
    title: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    split: str
    note: str = ""

    def __post_init__(self) -> None:
        """Name the columns of a frame made from no rows, so that nobody has to ask whether they are there."""
        if self.frame.empty and not len(self.frame.columns):
            keys = dict.fromkeys(key for column in self.columns for key in column.keys)
            object.__setattr__(self, "frame", pd.DataFrame(columns=list(keys)))

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
    if column.share_key:
        details.append(format_value(record.get(column.share_key), "fraction"))
    if column.interval:
        low, high = (format_value(record.get(key), column.kind) for key in column.bounds)
        if UNDEFINED not in (low, high):
            details.append(join_bounds(low, high))
    if column.n_key:
        details.append(f"n = {format_value(record.get(column.n_key), 'count')}")
    return Cell(value, tuple(details), str(record.get(column.link_key) or "") if column.link_key else "")


def format_value(value: Any, kind: Kind = "text") -> str:
    """Write a value the way its kind reads; undefined values become a dash.

    Examples
    --------
    >>> format_value(0.9531, "fraction"), format_value(12034, "count"), format_value(float("nan"), "number")
    ('95.3%', '12,034', '–')
    """
    if is_undefined(value):
        return UNDEFINED
    return str(value) if isinstance(value, str) else WRITERS[kind](value)


def format_prose(value: float, kind: Kind = "fraction") -> str:
    """Write a number for a sentence: no decimals that say nothing.

    Examples
    --------
    >>> format_prose(0.95), format_prose(0.9626), format_prose(132.04, "number")
    ('95%', '96.3%', '132')
    """
    if kind == "fraction":
        return f"{100 * value:.3g}%"
    return format_value(value, "count") if value >= 100 else format_value(value, kind)


def is_undefined(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN or a missing value."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def join_bounds(low: str, high: str) -> str:
    """Write an interval once with its unit; signs and comparisons need a word between them."""
    if high[0] in "<>" and low != high:
        return f"{low} to {high}"
    if low[0] in "+\u2212":
        return f"{low} to {high}"
    return f"{low.removesuffix('%')}–{high}" if low != high else low


def _format_fraction(value: float) -> str:
    """One decimal, two below one percent; nothing but 0 and 1 reads as 0 or 100%."""
    percent = 100 * value
    if 99.95 <= percent < 100:
        return ">99.9%"
    if 0 < percent < 0.005:
        return "<0.01%"
    return f"{percent:.2f}%" if 0 < percent < 1 else f"{percent:.1f}%"


def _format_number(value: float) -> str:
    if value < 0:
        return f"\u2212{_format_number(-value)}"
    if math.isinf(value):
        return "∞"
    if 0 < value < 0.01:
        return "<0.01"
    if value < 1:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def _format_score(value: float) -> str:
    return f"{value:.2g}" if 0 < abs(value) < 0.0001 else f"{value:.4f}"


WRITERS: dict[Kind, Callable[[Any], str]] = {
    "text": str,
    "count": lambda value: f"{round(value):,}",
    "fraction": _format_fraction,
    "percent_points": lambda value: f"{100 * value:+.1f}".replace("-", "\u2212"),
    "score": lambda value: _format_score(float(value)).replace("-", "\u2212"),
    "number": lambda value: _format_number(float(value)),
    "ratio": lambda value: f"{value:.2f}".replace("-", "\u2212"),
    "p_value": lambda value: "<0.001" if value < 0.001 else f"{value:.3f}",
    "signed": lambda value: f"{value:+.2f}".replace("-", "\u2212"),
}
