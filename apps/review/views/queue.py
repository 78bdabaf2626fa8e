"""The queue: what waits, most urgent first."""

import streamlit as st

from apps.review.components.labels import TRIAGE_LABELS, render_level
from apps.review.components.page import describe_age, show_notice
from apps.review.components.rows import show_counts, show_row
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import ReviewError
from apps.review.services.queue import QueueCounts, QueueRow, claim_post, count_queue, load_queue
from apps.review.state import load_context, put_notice, require_signed_in, set_open_post

_PAGE_SIZE = 10
_PAGES = "queue_pages"  # keys of the pages gone through, so that "Back" finds its way


def show() -> None:
    """Show counts, the way to the next post, and one page of the queue."""
    actor, context = require_signed_in("judge"), load_context()
    counts = count_queue(context, actor)
    st.title("Queue", anchor=False)
    show_notice()
    if counts.n_waiting == 0:
        st.success("Nothing waits. Every imported post has a decision.")
        return
    show_counts(_list_counts(counts))
    if st.button("Open the next post", type="primary", shortcut="O", key="open_next"):
        set_open_post(None)
        st.switch_page("views/post.py")
    _show_rows(context, actor)


def _list_counts(counts: QueueCounts) -> list[tuple[str, int]]:
    by_level = counts.n_by_triage
    levels = [(label, by_level[level]) for level, label in TRIAGE_LABELS.items() if level in by_level]
    return [("Waiting", counts.n_waiting), *levels, ("On a desk now", counts.n_held)]


def _show_rows(context: ReviewContext, actor: SignedIn) -> None:
    pages = st.session_state.setdefault(_PAGES, [None])
    rows = load_queue(context, actor, after=pages[-1], limit=_PAGE_SIZE)
    first_rank = (len(pages) - 1) * _PAGE_SIZE + 1
    st.subheader("Most urgent first", anchor=False)
    if context.settings.is_blind:
        st.html('<p class="quiet">Level and probability of a post are shown after your first judgement of it.</p>')
    with st.container(key="rows_queue", gap="xsmall"):
        for rank, row in enumerate(rows, first_rank):
            _show_row(rank, row, context, actor)
    with st.container(horizontal=True):
        if len(pages) > 1 and st.button("Back", key="page_back"):
            pages.pop()
            st.rerun()
        if len(rows) == _PAGE_SIZE and st.button("More", key="page_forward"):
            pages.append((rows[-1].priority, rows[-1].post_id))
            st.rerun()


def _show_row(rank: int, row: QueueRow, context: ReviewContext, actor: SignedIn) -> None:
    facts = [f"{rank}", row.post_id, f"waiting {describe_age(row.imported_at)}"]
    if row.created_at is not None:
        facts.append(f"posted {describe_age(row.created_at)} ago")
    (place,) = show_row(facts, n_buttons=1, level=render_level(row.triage) if row.triage else "")
    label = "Taken" if row.is_held_by_other else "Go on" if row.is_held_by_me else "Open"
    if place.button(label, key=f"open_{rank}", disabled=row.is_held_by_other, width="stretch"):
        _open(context, actor, row.post_id)


def _open(context: ReviewContext, actor: SignedIn, post_id: str) -> None:
    try:
        claim_post(context, actor, post_id)
    except ReviewError as error:
        put_notice(str(error))
        st.rerun()
    set_open_post(None)
    st.switch_page("views/post.py")


show()
