"""Escalated posts: those that wait for a lead, longest first, and those this lead has taken over."""

import streamlit as st

from apps.review.components.decision_clicks import click_take_over
from apps.review.components.judgement import show_readings
from apps.review.components.labels import label_reasons, mark_post
from apps.review.components.messages import run_page, show_message, show_notice
from apps.review.components.page import describe_age
from apps.review.components.paging import Pages
from apps.review.components.post_text import show_resources
from apps.review.components.reading import show_reading_choices
from apps.review.components.rows import show_row
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.services.escalations import EscalatedPost, list_escalated, list_taken_over
from apps.review.services.posts import PostDetail, load_post
from apps.review.state import (
    load_context,
    load_taken_over,
    require_signed_in,
    set_shown_post,
    set_taken_over,
)

_PAGE_SIZE = 10


def show() -> None:
    """Show the post just taken over, or the lists."""
    actor, context = require_signed_in("take_over"), load_context()
    st.title("Escalated", anchor=False)
    show_notice()
    post = _load_opened(context, actor)
    if post is not None:
        _show_post(context, post)
        return
    _show_waiting(context, actor)
    _show_taken_over(context, actor)


def _load_opened(context: ReviewContext, actor: SignedIn) -> PostDetail | None:
    post_id = load_taken_over()
    if post_id is None:
        return None
    try:
        return load_post(context, actor, post_id)
    except NotAllowedError:  # taken back meanwhile
        set_taken_over(None)
        return None


def _show_post(context: ReviewContext, post: PostDetail) -> None:
    show_reading_choices()
    text_side, side = st.columns([1.9, 1], gap="large")
    with text_side:
        show_readings(context, post, [("Post", post.post_id)])
    with side:
        st.button("Back to the list", key="close_taken_over", width="stretch", on_click=_close)
        show_resources(context)


def _close() -> None:
    set_taken_over(None)
    set_shown_post(None)


def _show_waiting(context: ReviewContext, actor: SignedIn) -> None:
    waiting = list_escalated(context, actor)
    if not waiting:
        show_message("No escalated post waits for a lead.", "calm")
        return
    pages = Pages("escalated_pages")
    start = pages.number * _PAGE_SIZE
    some = waiting[start : start + _PAGE_SIZE]
    with st.container(key="rows_escalated", gap="xsmall"):
        for rank, row in enumerate(some, start + 1):
            _show_row(context, rank, row)
    pages.show_buttons(start + _PAGE_SIZE, is_full=len(waiting) > start + _PAGE_SIZE)


def _show_row(context: ReviewContext, rank: int, row: EscalatedPost) -> None:
    reasons = label_reasons(row.reasons, context.settings.reasons)
    facts = [f"{rank}", row.post_id, f"waiting {describe_age(row.at)}", f"escalated by {row.actor}", reasons]
    (place,) = show_row([fact for fact in facts if fact], n_buttons=1)
    key = f"take_over_{mark_post(row.post_id)}"
    place.button("Take over", key=key, width="stretch", on_click=click_take_over, args=(row.post_id,))


def _show_taken_over(context: ReviewContext, actor: SignedIn) -> None:
    held = list_taken_over(context, actor)
    if not held:
        return
    st.subheader("Taken over by you", anchor=False)
    st.caption("The last ten, newest first. All of them stand in the history, where each can be taken back.")
    with st.container(key="rows_taken_over", gap="xsmall"):
        for rank, row in enumerate(held, 1):
            (place,) = show_row([f"{rank}", row.post_id, f"taken over {describe_age(row.at)} ago"], n_buttons=1)
            if place.button("Look", key=f"look_{row.seq}", width="stretch"):
                set_taken_over(row.post_id)
                st.rerun()


run_page(show)
