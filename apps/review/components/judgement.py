"""The decision buttons, and what follows a decision: keep it, judge again, take it back.

Decisions are made in callbacks that carry the id of their post: they run once per click and before the page asks for
the next post, so that a decision never meets another post than the one it was made on.
"""

import html
from collections.abc import Sequence

import streamlit as st

from apps.review.components.decision_clicks import AGAIN, LAST, click_decision, click_next, click_undo, click_undo_last
from apps.review.components.guidelines import show_guidelines
from apps.review.components.keys import AGAIN_KEY, DECISION_KEYS, KEEP_KEY, UNDO_KEY, offer_key
from apps.review.components.labels import DECISION_LABELS, label_decision, label_reasons, mark_post, to_label
from apps.review.components.messages import show_message
from apps.review.components.post_text import show_facts
from apps.review.components.reading import show_words
from apps.review.services.context import ReviewContext
from apps.review.services.decisions import Decision, Reason
from apps.review.services.judging import MAX_NOTE_CHARACTERS
from apps.review.services.posts import Judgement, PostDetail
from screening.explain.rendering import escape_visibly


def show_decision_buttons(
    context: ReviewContext,
    post_id: str,
    *,
    is_revision: bool = False,
    is_ready: bool = True,
    without: tuple[Decision, ...] = (),
) -> None:
    """Show one button per decision, its reasons, and a note; nothing preset; active once the text was shown."""
    stem = f"{'revise' if is_revision else 'decide'}_{mark_post(post_id)}"
    offered: list[Decision] = [decision for decision in DECISION_LABELS if decision not in without]
    for decision in offered:
        st.button(
            DECISION_LABELS[decision],
            key=f"{stem}_{decision}",
            shortcut=offer_key(DECISION_KEYS[decision]),
            disabled=not is_ready,
            width="stretch",
            on_click=click_decision,
            args=(post_id, decision, stem),
            kwargs={"is_revision": is_revision},
        )
    if not is_ready:
        st.caption("Show the text first.")
    with st.expander("Reasons (optional)"):
        for decision in offered:
            _ask_reasons(decision, context.settings.reasons.get(decision, ()), f"{stem}_reasons_{decision}")
    # What was written is there again when the post comes back to the desk.
    key = f"{stem}_note"
    st.text_area("Note (optional)", key=key, max_chars=MAX_NOTE_CHARACTERS, height=80, persist_state="session")


def _ask_reasons(decision: Decision, reasons: Sequence[Reason], key: str) -> None:
    labels = {reason.code: to_label(reason.label) for reason in reasons}
    if labels:
        name = f"For “{DECISION_LABELS[decision]}”"
        st.pills(name, list(labels), selection_mode="multi", format_func=labels.__getitem__, key=key)


def show_judged(context: ReviewContext, post: PostDetail) -> None:
    """Show the reader's standing decision and what can be done with it."""
    st.subheader("Your judgement", anchor=False)
    if post.standing is None:
        show_message("Your judgement of this post does not stand any more.", "calm")
        st.button("Next post", key="next_post", type="primary", shortcut=offer_key(KEEP_KEY), on_click=click_next)
        return
    show_judgement(context, post.standing, is_own=True)
    if post.outcome is not None and post.outcome.seq != post.standing.seq:
        st.html(f"<p class='quiet'>What counts now: <strong>{label_decision(post.outcome.decision)}</strong>.</p>")
    st.button(
        "Keep, next post",
        key="next_post",
        type="primary",
        shortcut=offer_key(KEEP_KEY),
        width="stretch",
        on_click=click_next,
    )
    is_again = st.session_state.get(AGAIN) == post.post_id
    if not is_again and st.button("Judge again", key="again", shortcut=offer_key(AGAIN_KEY), width="stretch"):
        st.session_state[AGAIN] = post.post_id
        st.rerun()
    _show_undo(post.post_id, post.standing.seq)
    if is_again:
        st.subheader("Judge again", anchor=False)
        st.caption("Both judgements are kept; the later one counts.")
        show_decision_buttons(context, post.post_id, is_revision=True)


def show_readings(context: ReviewContext, post: PostDetail, facts: Sequence[tuple[str, str]]) -> None:
    """Show a post with its facts, what each of its readers said, and the guideline."""
    show_facts([*facts, *([("from", post.community)] if post.community is not None else [])])
    show_words(post)
    st.subheader("What the readers said", anchor=False)
    for read in post.reads:
        show_judgement(context, read, is_own=False)
    show_guidelines()


def show_judgement(context: ReviewContext, judgement: Judgement, *, is_own: bool) -> None:
    """Show one judgement with its reasons and note."""
    reasons = label_reasons(judgement.reasons, context.settings.reasons)
    who = "saved" if is_own else f"by {judgement.actor}, {judgement.at:%Y-%m-%d %H:%M} UTC"
    parts = [
        f"<strong>{html.escape(label_decision(judgement.decision))}</strong> <span class='quiet'>{_text(who)}</span>"
    ]
    parts += [f"<div>{_text(reasons)}</div>"] if reasons else []
    parts += [f"<div class='quiet'>Note: {_text(judgement.note)}</div>"] if judgement.note else []
    st.html(f"<div class='read'>{''.join(parts)}</div>")


def show_last_undo(label: str = "Undo the last decision") -> None:
    """Offer to take back the decision just made, also while the next post is on the screen already."""
    if st.session_state.get(LAST) is not None:
        icon = ":material/undo:"
        st.button(
            label, key="undo_last", shortcut=offer_key(UNDO_KEY), width="stretch", icon=icon, on_click=click_undo_last
        )


def _show_undo(post_id: str, seq: int) -> None:
    if st.session_state.get(LAST) == (post_id, seq):
        show_last_undo("Undo")
        return
    icon, args = ":material/undo:", (post_id, seq)
    st.button(
        "Undo",
        key=f"undo_{seq}",
        shortcut=offer_key(UNDO_KEY),
        width="stretch",
        icon=icon,
        on_click=click_undo,
        args=args,
    )


def _text(text: str) -> str:
    return f"<bdi>{escape_visibly(text)}</bdi>"
