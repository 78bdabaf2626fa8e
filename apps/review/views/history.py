"""What was decided: one's own decisions, or everyone's for leads and auditors."""

import streamlit as st

from apps.review.components.decision_clicks import forget_last
from apps.review.components.labels import label_decision, label_reasons
from apps.review.components.messages import run_page, show_message, show_notice
from apps.review.components.paging import Pages
from apps.review.components.rows import show_row
from apps.review.identity.records import SignedIn
from apps.review.services.access import is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.errors import ReviewError
from apps.review.services.escalations import TAKEN_OVER, undo_take_over
from apps.review.services.history import HistoryRow, load_history
from apps.review.services.judging import undo_decision
from apps.review.state import load_context, put_notice, require_signed_in, set_open_post, set_taken_over

_PAGE_SIZE = 20
_READS = {2: "second reading", 3: "settled"}


def show() -> None:
    """Show one page of judgements and undos, newest first."""
    actor, context = require_signed_in(), load_context()
    st.title("History", anchor=False)
    show_notice()
    if not (is_permitted(actor.role, "see_all_history") or is_permitted(actor.role, "see_own_history")):
        show_message("Your role has no part in decisions", "calm")
        return
    post_id = st.text_input("Only this post", key="history_post", max_chars=200, placeholder="its whole id").strip()
    pages = Pages("history_pages", post_id)
    rows = load_history(context, actor, post_id=post_id or None, before=pages.key, limit=_PAGE_SIZE)
    if not rows:
        show_message("No decisions of this post" if post_id else "No decisions yet", "calm")
        return
    with st.container(key="rows_history", gap="xsmall"):
        for row in rows:
            _show_row(row, context, actor)
    pages.show_buttons(rows[-1].seq, is_full=len(rows) == _PAGE_SIZE, labels=("Newer", "Older"))


def _show_row(row: HistoryRow, context: ReviewContext, actor: SignedIn) -> None:
    facts = [f"{row.seq}", row.post_id, _describe(row, context), row.actor, f"{row.at:%Y-%m-%d %H:%M} UTC"]
    look, undo = show_row(facts, n_buttons=2)
    if not row.is_standing or not is_permitted(actor.role, "judge"):
        return
    if row.actor == actor.user_name and look.button("Look", key=f"look_{row.seq}", width="stretch"):
        _look(row)
    may_undo = row.actor == actor.user_name or is_permitted(actor.role, "undo_any")
    if may_undo and undo.button("Undo", key=f"undo_{row.seq}", width="stretch"):
        _undo(context, actor, row)


def _look(row: HistoryRow) -> None:
    if row.kind == TAKEN_OVER:
        set_taken_over(row.post_id)
        st.switch_page("views/escalated.py")
    set_open_post(row.post_id)
    st.switch_page("views/post.py")


def _describe(row: HistoryRow, context: ReviewContext) -> str:
    if row.kind == "undo":
        return f"took back event {row.undoes}"
    if row.kind == TAKEN_OVER:
        return "taken over" + (" · taken back" if row.is_undone else "")
    if row.is_hidden:
        return "judged; shown once the second reader has judged too"
    what = label_decision(row.decision) + (" (revised)" if row.kind == "revision" else "")
    state = "taken back" if row.is_undone else "" if row.is_standing else "replaced"
    reasons = label_reasons(row.reasons, context.settings.reasons)
    return " · ".join(filter(None, (what, state, _READS.get(row.read, ""), reasons, row.note)))


def _undo(context: ReviewContext, actor: SignedIn, row: HistoryRow) -> None:
    undo = undo_take_over if row.kind == TAKEN_OVER else undo_decision
    try:
        undo(context, actor, row.seq)
        forget_last(row.seq)
        put_notice("Taken back. The post waits again for what it now lacks.")
    except ReviewError as error:
        put_notice(str(error), is_problem=True)
    st.rerun()


run_page(show)
