"""The decision buttons, and what follows a decision."""

import streamlit as st

from apps.review.components.labels import DECISION_KEYS, DECISION_LABELS, KEEP_KEY, label_decision
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import ReviewError
from apps.review.services.judging import (
    MAX_NOTE_CHARACTERS,
    Decision,
    record_decision,
    revise_decision,
    undo_decision,
)
from apps.review.services.posts import PostDetail
from apps.review.state import put_notice, set_open_post


def show_decision_buttons(
    context: ReviewContext, actor: SignedIn, post_id: str, *, is_revision: bool, is_ready: bool
) -> None:
    """Show one button per decision, none preset; active once the text was shown."""
    st.subheader("Judge again" if is_revision else "Your judgement", anchor=False)
    note = st.text_area(
        "Note (optional)", key=f"note_{post_id}_{is_revision}", max_chars=MAX_NOTE_CHARACTERS, height=80
    )
    for decision, label in DECISION_LABELS.items():
        is_pressed = st.button(
            label,
            key=f"{'revise' if is_revision else 'decide'}_{decision}",
            shortcut=DECISION_KEYS[decision],
            disabled=not is_ready,
            width="stretch",
        )
        if is_pressed:
            _decide(context, actor, post_id, decision, note, is_revision=is_revision)
    if not is_ready:
        st.caption("Show the text first.")


def show_judged(context: ReviewContext, actor: SignedIn, post: PostDetail) -> None:
    """Show the standing decision and what can be done with it: keep, revise, undo."""
    standing = post.standing
    st.subheader("Your judgement", anchor=False)
    if standing is None or standing.actor != actor.user_name:
        st.text("Your judgement of this post does not stand any more.")
        st.button("Next post", key="next_post", type="primary", shortcut=KEEP_KEY, on_click=set_open_post, args=(None,))
        return
    st.html(f"<strong>{label_decision(standing.decision)}</strong> <span class='quiet'>saved</span>")
    st.button(
        "Keep, next post",
        key="next_post",
        type="primary",
        shortcut=KEEP_KEY,
        width="stretch",
        on_click=set_open_post,
        args=(None,),
    )
    if st.button("Undo", key="undo", width="stretch", icon=":material/undo:"):
        _undo(context, actor, standing.seq)
    with st.expander("Judge again"):
        show_decision_buttons(context, actor, post.post_id, is_revision=True, is_ready=True)


def _decide(
    context: ReviewContext, actor: SignedIn, post_id: str, decision: Decision, note: str, *, is_revision: bool
) -> None:
    try:
        if is_revision:
            revise_decision(context, actor, post_id, decision, note)
            put_notice(f"Saved: {DECISION_LABELS[decision]}. Your first judgement is kept beside it.")
            set_open_post(None)
        else:
            record_decision(context, actor, post_id, decision, note)
            set_open_post(post_id if context.settings.is_blind else None)
            put_notice(f"Saved: {DECISION_LABELS[decision]}.")
    except ReviewError as error:
        put_notice(str(error))
        set_open_post(None)
    st.rerun()


def _undo(context: ReviewContext, actor: SignedIn, seq: int) -> None:
    try:
        undo_decision(context, actor, seq)
        put_notice("Taken back. The post is on your desk again.")
    except ReviewError as error:
        put_notice(str(error))
    set_open_post(None)
    st.rerun()
