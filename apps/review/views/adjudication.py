"""Settling disagreements: both judgements with their reasons beside the post, and a lead decides."""

import streamlit as st

from apps.review.components.desk import note_claim, show_time_left, take_cleared
from apps.review.components.judgement import show_decision_buttons, show_last_undo, show_readings
from apps.review.components.labels import mark_post
from apps.review.components.messages import run_page, show_message, show_notice
from apps.review.components.page import describe_age
from apps.review.components.paging import Pages
from apps.review.components.post_text import show_resources
from apps.review.components.reading import is_shown, show_reading_choices
from apps.review.components.revealed import show_revealed
from apps.review.components.rows import show_row
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import LeaseLostError, NotAllowedError
from apps.review.services.filters import QueueFilters
from apps.review.services.leases import claim_post, extend_lease
from apps.review.services.posts import PostDetail, load_post
from apps.review.services.queue import QueueRow, count_queue, load_queue
from apps.review.state import load_context, load_settling, put_notice, require_signed_in, set_open_post, set_settling

_PAGE_SIZE = 10
_WANTED = QueueFilters(stage="adjudication")


def show() -> None:
    """Show the disagreement on the desk, or the list of those that wait."""
    actor, context = require_signed_in("adjudicate"), load_context()
    st.title("Settle disagreements", anchor=False)
    show_notice()
    take_cleared()
    post = _load_opened(context, actor)
    if post is None:
        _show_list(context, actor)
        return
    _show_post(context, post)


def _load_opened(context: ReviewContext, actor: SignedIn) -> PostDetail | None:
    post_id = load_settling()
    if post_id is None:
        return None
    try:
        extend_lease(context, actor, post_id)
        post = load_post(context, actor, post_id)
    except (LeaseLostError, NotAllowedError):
        post = None
    if post is None or not post.is_adjudication:
        set_settling(None)
        return None
    note_claim(context)
    return post


def _show_post(context: ReviewContext, post: PostDetail) -> None:
    show_reading_choices()
    text_side, desk_side = st.columns([1.9, 1], gap="large")
    with text_side:
        show_readings(context, post, [("Post", post.post_id), ("waiting", describe_age(post.waits_since))])
    with desk_side:
        st.subheader("Your decision settles it", anchor=False)
        show_decision_buttons(context, post.post_id, is_ready=is_shown(post.post_id), without=("unsure",))
        show_time_left(context)
        if post.revealed is not None:
            show_revealed(post.revealed)
        show_resources(context)


def _show_list(context: ReviewContext, actor: SignedIn) -> None:
    pages = Pages("adjudication_pages")
    rows = load_queue(context, actor, filters=_WANTED, after=pages.key, limit=_PAGE_SIZE)
    if not rows:
        show_message("No disagreement waits for you.", "calm")
    with st.container(key="rows_adjudication", gap="xsmall"):
        for rank, row in enumerate(rows, pages.number * _PAGE_SIZE + 1):
            _show_row(context, actor, rank, row)
    pages.show_buttons((rows[-1].priority, rows[-1].post_id) if rows else None, is_full=len(rows) == _PAGE_SIZE)
    if n_for_others := count_queue(context, actor).n_adjudication_for_others:
        st.caption(f"{n_for_others:,} more you have read yourself: another lead has to settle them.")
    show_last_undo()


def _show_row(context: ReviewContext, actor: SignedIn, rank: int, row: QueueRow) -> None:
    (place,) = show_row([f"{rank}", row.post_id, f"waiting {describe_age(row.waits_since)}"], n_buttons=1)
    label = "Taken" if row.is_held_by_other else "Go on" if row.is_held_by_me else "Settle"
    key = f"settle_{mark_post(row.post_id)}"
    if place.button(label, key=key, disabled=row.is_held_by_other, width="stretch"):
        _open(context, actor, row.post_id)


def _open(context: ReviewContext, actor: SignedIn, post_id: str) -> None:
    try:
        claim_post(context, actor, post_id)
        set_open_post(None)
        set_settling(post_id)
    except LeaseLostError as error:
        put_notice(str(error), is_problem=True)
    st.rerun()


run_page(show)
