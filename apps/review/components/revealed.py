"""What the model said about a post, shown after the first judgement."""

import html

import streamlit as st

from apps.review.components.labels import render_level, to_percent, to_words
from apps.review.services.posts import Revealed
from screening.explain.rendering import show_visibly

_MIX = (
    "These percentages hold for the mix of posts the model learned from; where such posts are rarer, they are too high."
)


def show_revealed(revealed: Revealed) -> None:
    """Show triage level and probabilities; the length of a bar repeats the number beside it."""
    st.subheader("What the model said", anchor=False)
    risks = " ".join(
        f"<span class='together'>{_escape(to_words(name))} <strong>{to_percent(value)}</strong></span>"
        for name, value in _select(revealed, "risk_")
    )
    audit = "<p class='quiet'>Drawn at random from posts that were not flagged.</p>" if revealed.is_audit else ""
    st.html(f"<div class='said'>{render_level(revealed.triage)} {risks}</div>{audit}")
    probabilities = sorted(_select(revealed, "prob_"), key=lambda item: -item[1])
    rows = "".join(
        f"<tr><th scope='row'>{_escape(to_words(name))}</th><td>{to_percent(value)}</td>"
        f"<td class='bar' aria-hidden='true'><span style='width:{100 * value:.0f}%'></span></td></tr>"
        for name, value in probabilities
    )
    model = f"Model {_escape(revealed.model_version)}."
    if not rows:
        st.html(f"<p class='quiet'>The first stage cleared this post: the encoder did not read it. {model}</p>")
        return
    st.html(
        "<table class='probabilities quiet'><caption class='for-screen-readers'>Probability per class</caption>"
        f"{rows}</table><p class='quiet'>Classes are subreddits of origin, not diagnoses. {model}</p>"
        f"<p class='quiet'>{_MIX}</p>"
    )


def _select(revealed: Revealed, prefix: str) -> list[tuple[str, float]]:
    return [
        (name.removeprefix(prefix), float(value))
        for name, value in revealed.scores.items()
        if name.startswith(prefix) and isinstance(value, int | float)
    ]


def _escape(text: str) -> str:
    return html.escape(show_visibly(text))
