"""What was decided: one's own decisions, or everyone's for leads and auditors."""

import streamlit as st

from apps.review.components.labels import label_decision
from apps.review.components.page import show_notice
from apps.review.components.rows import show_row
from apps.review.identity.records import SignedIn
from apps.review.services.access import is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.errors import ReviewError
from apps.review.services.history import HistoryRow, load_history
from apps.review.services.judging import undo_decision
from apps.review.state import load_context, put_notice, require_signed_in, set_open_post

_PAGE_SIZE = 20
_PAGES = "history_pages"


def show() -> None:
    """Show one page of judgements and undos, newest first."""
    actor, context = require_signed_in(), load_context()
    st.title("History", anchor=False)
    show_notice()
    if not (is_permitted(actor.role, "see_all_history") or is_permitted(actor.role, "see_own_history")):
        st.info("Your role works from the command line: accounts, imports and checks.")
        return
    pages = st.session_state.setdefault(_PAGES, [None])
    rows = load_history(context, actor, before=pages[-1], limit=_PAGE_SIZE)
    if not rows:
        st.info("No decisions yet.")
        return
    with st.container(key="rows_history", gap="xsmall"):
        for row in rows:
            _show_row(row, context, actor)
    with st.container(horizontal=True):
        if len(pages) > 1 and st.button("Newer", key="page_newer"):
            pages.pop()
            st.rerun()
        if len(rows) == _PAGE_SIZE and st.button("Older", key="page_older"):
            pages.append(rows[-1].seq)
            st.rerun()


def _show_row(row: HistoryRow, context: ReviewContext, actor: SignedIn) -> None:
    facts = [f"{row.seq}", row.post_id, _describe(row), row.actor, f"{row.at:%Y-%m-%d %H:%M} UTC"]
    look, undo = show_row(facts, n_buttons=2)
    if not row.is_standing or not is_permitted(actor.role, "judge"):
        return
    if row.actor == actor.user_name and look.button("Look", key=f"look_{row.seq}", width="stretch"):
        set_open_post(row.post_id)
        st.switch_page("views/post.py")
    may_undo = row.actor == actor.user_name or is_permitted(actor.role, "undo_any")
    if may_undo and undo.button("Undo", key=f"undo_{row.seq}", width="stretch"):
        _undo(context, actor, row.seq)


def _describe(row: HistoryRow) -> str:
    if row.kind == "undo":
        return f"took back event {row.undoes}"
    what = label_decision(row.decision) + (" (revised)" if row.kind == "revision" else "")
    state = " · taken back" if row.is_undone else "" if row.is_standing else " · replaced"
    return what + state + (f" · {row.note}" if row.note else "")


def _undo(context: ReviewContext, actor: SignedIn, seq: int) -> None:
    try:
        undo_decision(context, actor, seq)
        put_notice("Taken back. The post waits again.")
    except ReviewError as error:
        put_notice(str(error))
    st.rerun()


show()
