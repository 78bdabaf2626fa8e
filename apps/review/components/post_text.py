"""A post as safe HTML: hidden until asked for, then plain, then with its highlights."""

import html
from collections.abc import Sequence

import streamlit as st

from apps.review.services.context import ReviewContext
from apps.review.services.posts import HighlightSpan, Revealed
from screening.explain.rendering import render_highlights, show_visibly

UNCHANGED = "The score did not change when words were masked: no word stands out."
_STAND_IN = "Nothing of the post itself stands here before you ask to see it. "
_SIZES = {"Normal": "size-normal", "Large": "size-large", "Larger": "size-larger"}
_SIZE = "text_size"


def show_hidden_text() -> None:
    """Show a blurred stand-in; the post itself has not left the server yet."""
    st.html(
        '<div class="post-box" role="note" aria-label="The text is hidden until you ask to see it">'
        f'<div class="post-blurred" aria-hidden="true">{_STAND_IN * 6}</div></div>'
    )


def show_text(text: str | None, highlights: Sequence[HighlightSpan] = (), *, is_small: bool = False) -> None:
    """Show a post's words as text and nothing but text."""
    if text is None:
        st.info("The text of this post was erased. Its decisions are kept.")
        return
    spans = [(span.start, span.end, span.weight) for span in highlights]
    size = "is-small" if is_small else _SIZES.get(st.session_state.get(_SIZE, "Normal"), "size-normal")
    st.html(
        f'<div class="post-box {size}" tabindex="0" role="region" aria-label="Text of the post">'
        f"{render_highlights(text, spans)}</div>"
    )


def show_size_choice() -> None:
    """Offer larger text."""
    st.segmented_control("Text size", list(_SIZES), default="Normal", key=_SIZE, required=True, persist_state="session")


def show_legend(revealed: Revealed) -> None:
    """Explain the marks, and what they are not; or why there are none, where an explanation found no word."""
    if revealed.is_unchanged:
        st.html(f'<div class="legend">{html.escape(UNCHANGED)}</div>')
    if not revealed.highlights:
        return
    unsure = "" if revealed.is_reliable else " <strong>This explanation did not converge; do not rely on it.</strong>"
    st.html(
        '<div class="legend post-text" style="line-height:1.5">'
        'Words the score depended on: <mark class="raises level-3">solid line, raised it</mark>, '
        '<mark class="lowers level-3">dashed line, lowered it</mark>; a thicker line means more. '
        f"They are not reasons.{unsure}</div>"
    )


def show_resources(context: ReviewContext) -> None:
    """Show where a person in crisis finds help, as the house says."""
    items = "".join(f"<div>{html.escape(show_visibly(line))}</div>" for line in context.settings.crisis_resources)
    st.html(f'<div class="resources" role="complementary"><strong>Crisis resources</strong>{items}</div>')


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Show short facts in a row; both parts are escaped and kept apart from each other's writing direction."""
    items = "".join(
        f"<span>{html.escape(show_visibly(name))} <bdi><strong>{html.escape(show_visibly(value))}</strong></bdi></span>"
        for name, value in facts
    )
    st.html(f'<div class="facts">{items}</div>')
