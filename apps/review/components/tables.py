"""Tables of text and numbers as plain HTML; every cell is escaped."""

import html
from collections.abc import Sequence

import streamlit as st

from screening.explain.rendering import show_visibly
from screening.types import Estimate


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str) -> None:
    """Show a table; the first cell of a row names it, and numbers stand right."""
    st.html(render_table(columns, rows, caption=caption))


def render_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str) -> str:
    """Render a table.

    Examples
    --------
    >>> "<td>&lt;b&gt;</td>" in render_table(["a", "b"], [["1", "<b>"]], caption="Two")
    True
    """
    head = "".join(f'<th scope="col">{_escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{_escape(first)}</th>{"".join(f"<td>{_escape(cell)}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return (
        f'<div class="table-box" tabindex="0"><table class="plain"><caption>{_escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def describe_estimate(estimate: Estimate, *, is_percent: bool = True) -> str:
    """Write an estimate with its interval and n, or say that there is none.

    Examples
    --------
    >>> describe_estimate(Estimate(value=None, n_samples=0, split="audit"))
    'not known yet, n = 0'
    """
    if estimate.value is None:
        return f"not known yet, n = {estimate.n_samples:,}"
    write = _write_percent if is_percent else _write_number
    between = ""
    if estimate.interval is not None:
        between = f" ({write(estimate.interval.low)} to {write(estimate.interval.high)})"
    return f"{write(estimate.value)}{between}, n = {estimate.n_samples:,}"


def _write_percent(value: float) -> str:
    return f"{value:.1%}"


def _write_number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _escape(text: str) -> str:
    return html.escape(show_visibly(text))
