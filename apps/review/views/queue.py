"""The queue: what waits, most urgent first."""

import streamlit as st

from apps.review.components.keys import OPEN_KEY, offer_key
from apps.review.components.labels import TRIAGE_LABELS, mark_post, render_level
from apps.review.components.messages import run_page, show_message, show_notice
from apps.review.components.page import describe_age
from apps.review.components.paging import Pages
from apps.review.components.queue_filters import show_filters
from apps.review.components.queue_search import show_search
from apps.review.components.rows import show_counts, show_row
from apps.review.identity.records import SignedIn
from apps.review.services.access import is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.errors import ReviewError
from apps.review.services.facets import load_facets
from apps.review.services.filters import QueueFilters
from apps.review.services.leases import claim_post
from apps.review.services.queue import QueueCounts, QueueRow, count_queue, load_queue
from apps.review.state import load_context, load_n_escalated, put_notice, require_signed_in, set_open_post

_PAGE_SIZE = 10


def show() -> None:
    """Show counts, the way to the next post, filters and search, and one page of the queue."""
    actor, context = require_signed_in("judge"), load_context()
    st.title("Queue", anchor=False)
    show_notice()
    place = st.container()
    filters = show_filters(load_facets(context, actor))
    with place:
        shows_levels = not context.settings.is_blind or is_permitted(actor.role, "see_dashboard")
        n_waiting = _show_counts(count_queue(context, actor, filters), shows_levels=shows_levels)
        if n_escalated := load_n_escalated():
            st.page_link("views/escalated.py", label=f"{n_escalated:,} escalated wait to be taken over")
    if not show_search(context, actor, lambda post_id: _open(context, actor, post_id)) and n_waiting:
        _show_rows(context, actor, filters)


def _show_counts(counts: QueueCounts, *, shows_levels: bool) -> int:
    if counts.n_waiting == 0:
        show_message("Nothing waits for you here. Clear the filters if any are set, or wait for an import.", "calm")
    else:
        show_counts([(label, f"{number:,}") for label, number in _list_counts(counts, shows_levels)])
        if st.button("Open the next post", type="primary", shortcut=offer_key(OPEN_KEY), key="open_next"):
            set_open_post(None)
            st.switch_page("views/post.py")
    if counts.n_for_others:
        st.caption(f"{counts.n_for_others:,} you have read wait for a second reader.")
    if counts.n_adjudication:
        st.page_link("views/adjudication.py", label=f"{counts.n_adjudication:,} wait to be settled")
    return counts.n_waiting


def _list_counts(counts: QueueCounts, shows_levels: bool) -> list[tuple[str, int]]:
    """List the counts; levels under a narrow filter would tell a post's level before it is judged."""
    by_level = counts.n_by_triage if shows_levels else {}
    levels = [(label, by_level[level]) for level, label in TRIAGE_LABELS.items() if by_level.get(level)]
    return [("Waiting", counts.n_waiting), *levels, ("On a desk now", counts.n_held)]


def _show_rows(context: ReviewContext, actor: SignedIn, filters: QueueFilters) -> None:
    pages = Pages("queue_pages", filters)
    rows = load_queue(context, actor, filters=filters, after=pages.key, limit=_PAGE_SIZE)
    st.subheader("Most urgent first", anchor=False)
    if context.settings.is_blind:
        st.html('<p class="quiet">Level and probability of a post are shown after your first judgement of it.</p>')
    with st.container(key="rows_queue", gap="xsmall"):
        for rank, row in enumerate(rows, pages.number * _PAGE_SIZE + 1):
            _show_row(rank, row, context, actor, filters)
    last_key = (rows[-1].priority, rows[-1].post_id) if rows else None
    pages.show_buttons(last_key, is_full=len(rows) == _PAGE_SIZE)


def _show_row(rank: int, row: QueueRow, context: ReviewContext, actor: SignedIn, filters: QueueFilters) -> None:
    facts = [f"{rank}", row.post_id, f"waiting {describe_age(row.waits_since)}"]
    if row.created_at is not None:
        facts.append(f"written {describe_age(row.created_at)} ago")
    if row.community is not None:
        facts.append(row.community)
    if row.n_characters is not None:
        facts.append(f"{row.n_characters:,} characters")
    (place,) = show_row(facts, n_buttons=1, level=render_level(row.triage) if row.triage else "")
    label = "Taken" if row.is_held_by_other else "Go on" if row.is_held_by_me else "Open"
    if place.button(label, key=f"open_{mark_post(row.post_id)}", disabled=row.is_held_by_other, width="stretch"):
        _open(context, actor, row.post_id, filters)


def _open(context: ReviewContext, actor: SignedIn, post_id: str, filters: QueueFilters | None = None) -> None:
    try:
        claim_post(context, actor, post_id, filters)
    except ReviewError as error:
        put_notice(str(error), is_problem=True)
        st.rerun()
    set_open_post(None)
    st.switch_page("views/post.py")


run_page(show)
