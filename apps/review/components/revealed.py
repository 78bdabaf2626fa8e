"""What the model said about a post, shown after the first judgement."""

import html

import streamlit as st

from apps.review.components.labels import render_level
from apps.review.services.posts import Revealed


def show_revealed(revealed: Revealed) -> None:
    """Show triage level and probabilities."""
    st.subheader("What the model said", anchor=False)
    risks = " · ".join(
        f"<span class='together'>{_to_words(name)} <strong>{_to_percent(value)}</strong></span>"
        for name, value in _select(revealed, "risk_")
    )
    st.html(f"<div>{render_level(revealed.triage)} &nbsp; {risks}</div>")
    probabilities = sorted(_select(revealed, "prob_"), key=lambda item: -item[1])
    rows = "".join(
        f"<tr><th scope='row'>{_to_words(name)}</th><td>{_to_percent(value)}</td></tr>" for name, value in probabilities
    )
    st.html(
        "<table class='probabilities quiet'><caption class='for-screen-readers'>Probability per class</caption>"
        f"{rows}</table><p class='quiet'>Classes are subreddits of origin, not diagnoses."
        f" Model {html.escape(revealed.model_version)}.</p>"
    )


def _select(revealed: Revealed, prefix: str) -> list[tuple[str, float]]:
    return [
        (name.removeprefix(prefix), float(value))
        for name, value in revealed.scores.items()
        if name.startswith(prefix) and isinstance(value, int | float)
    ]


def _to_words(name: str) -> str:
    return html.escape(name.replace("_", " "))


def _to_percent(value: float) -> str:
    return "below 1%" if value < 0.01 else "above 99%" if value > 0.99 else f"{value:.0%}"
