"""Tables, lists and facts as Markdown that cannot break out of its place."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reports.page import Fact
    from reports.tables import Cell, Table

SPECIAL = re.compile(r"([\\`*_{}\[\]|#!~])")


def escape_markdown(text: str) -> str:
    r"""Escape HTML, Markdown signs and line breaks.

    Examples
    --------
    >>> print(escape_markdown("a|b <script>"))
    a\|b &lt;script&gt;
    """
    return SPECIAL.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def write_table(table: Table) -> str:
    """Write a titled table with its split and note."""
    heading = f"**{escape_markdown(table.title)}** ({escape_markdown(table.split)})\n\n"
    if table.frame.empty:
        return heading + "No rows.\n\n"
    head = "| " + " | ".join(escape_markdown(column.heading) for column in table.columns) + " |\n"
    rule = "| " + " | ".join(":---" if column.kind == "text" else "---:" for column in table.columns) + " |\n"
    rows = "".join("| " + " | ".join(_write_cell(cell) for cell in row) + " |\n" for row in table.rows)
    note = f"\n{escape_markdown(table.note)}\n" if table.note else ""
    return f"{heading}{head}{rule}{rows}{note}\n"


def write_list(lines: Iterable[str]) -> str:
    """Write one bullet per line."""
    return "".join(f"- {escape_markdown(line)}\n" for line in lines)


def write_facts(facts: Iterable[Fact]) -> str:
    """Write headings and values as bullets."""
    return write_list(f"{fact.heading}: {fact.value}" for fact in facts)


def _write_cell(cell: Cell) -> str:
    detail = f" ({'; '.join(cell.details)})" if cell.details else ""
    return escape_markdown(cell.value + detail)
