"""One post: read it, judge it, see what the model said, revise if need be, and on to the next."""

import streamlit as st

from apps.review.components.judgement import show_decision_buttons, show_judged
from apps.review.components.labels import SHOW_KEY
from apps.review.components.page import describe_age, show_notice
from apps.review.components.post_text import show_facts, show_hidden_text, show_legend, show_resources, show_text
from apps.review.components.revealed import show_revealed
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.services.posts import PostDetail, load_post
from apps.review.services.queue import claim_next
from apps.review.state import load_context, load_open_post, require_signed_in, set_open_post

_SHOWN = "shown_post"
_ALWAYS = "always_show_text"


def show() -> None:
    """Show the judged post still on the screen, or the next one."""
    actor, context = require_signed_in("judge"), load_context()
    st.title("Post", anchor=False)
    show_notice()
    post = _load(context, actor)
    if post is None:
        st.success("Nothing is free right now. Posts come back when an import adds some or a desk is cleared.")
        return
    is_shown = st.session_state.get(_SHOWN) == post.post_id or bool(st.session_state.get(_ALWAYS))
    text_side, desk_side = st.columns([2.1, 1], gap="large")
    with text_side:
        _show_post(post, is_shown=is_shown)
    with desk_side:
        if post.revealed is not None:
            show_revealed(post.revealed)
        if post.is_on_desk:
            show_decision_buttons(context, actor, post.post_id, is_revision=False, is_ready=is_shown)
        else:
            show_judged(context, actor, post)
        show_resources()
    st.sidebar.toggle("Always show the text at once", key=_ALWAYS)


def _load(context: ReviewContext, actor: SignedIn) -> PostDetail | None:
    judged = load_open_post()
    if judged is not None:
        try:
            return load_post(context, actor, judged)
        except NotAllowedError:
            set_open_post(None)
    post_id = claim_next(context, actor)
    return load_post(context, actor, post_id) if post_id is not None else None


def _show_post(post: PostDetail, *, is_shown: bool) -> None:
    facts = [("Post", post.post_id), ("waiting", describe_age(post.imported_at))]
    if post.created_at is not None:
        facts.append(("posted", f"{describe_age(post.created_at)} ago"))
    show_facts(facts)
    if not is_shown:
        show_hidden_text()
        if st.button("Show the text", key="show_text", shortcut=SHOW_KEY, icon=":material/visibility:"):
            st.session_state[_SHOWN] = post.post_id
            st.rerun()
        return
    highlights = post.revealed.highlights if post.revealed else ()
    show_text(post.text, highlights)
    if post.is_truncated:
        st.caption("The model read only the beginning of this post.")
    if highlights and post.revealed is not None:
        show_legend(is_reliable=post.revealed.is_reliable)


show()
