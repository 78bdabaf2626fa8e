"""Rows of short facts with buttons at their end, and numbers with their names; everything is escaped."""

import html
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from screening.explain.rendering import show_visibly


def show_row(values: Sequence[str], *, n_buttons: int, level: str = "") -> list[DeltaGenerator]:
    """Show one row; returns the places for its buttons.

    Parameters
    ----------
    values : sequence of str
        Facts, as plain text.
    level : str
        Safe HTML of a triage level, or nothing.
    """
    cells = st.columns([8] + [1] * n_buttons, vertical_alignment="center")
    facts = "".join(f"<bdi>{html.escape(show_visibly(value))}</bdi>" for value in values)
    cells[0].html(f'<div class="row">{facts}{level}</div>')
    return list(cells[1:])


def show_counts(counts: Sequence[tuple[str, str]]) -> None:
    """Show numbers with their names beside each other."""
    items = "".join(
        f"<div>{html.escape(show_visibly(label))} <strong>{html.escape(show_visibly(number))}</strong></div>"
        for label, number in counts
    )
    st.html(f'<div class="counts">{items}</div>')
