"""What the model said about a post, shown after the first judgement."""

import html

import streamlit as st

from apps.review.components.labels import render_level
from apps.review.services.posts import Revealed


def show_revealed(revealed: Revealed) -> None:
    """Show triage level and probabilities."""
    st.subheader("What the model said")
    st.html(f"<div>{render_level(revealed.triage)} &nbsp; risk <strong>{revealed.risk:.0%}</strong></div>")
    rows = "".join(
        f"<tr><th scope='row' style='text-align:left;font-weight:400;padding-right:1rem'>"
        f"{html.escape(name.removeprefix('prob_'))}</th><td style='text-align:right'>{_to_percent(value)}</td></tr>"
        for name, value in _sort_probabilities(revealed)
    )
    st.html(
        f"<table class='quiet'><caption class='for-screen-readers'>Probability per class</caption>{rows}</table>"
        "<p class='quiet'>Classes are subreddits of origin, not diagnoses."
        f"{_describe_version(revealed.model_version)}</p>"
    )


def _sort_probabilities(revealed: Revealed) -> list[tuple[str, float]]:
    found = [
        (name, float(value))
        for name, value in revealed.scores.items()
        if name.startswith("prob_") and isinstance(value, int | float)
    ]
    return sorted(found, key=lambda item: -item[1])


def _to_percent(value: float) -> str:
    return "below 1%" if value < 0.01 else "above 99%" if value > 0.99 else f"{value:.0%}"


def _describe_version(model_version: str | None) -> str:
    return f" Model {html.escape(model_version)}." if model_version else ""
