"""One post: read it, judge it, see what the model said, revise if need be, and on to the next."""

import streamlit as st

from apps.review.components.desk import (
    is_resting,
    note_claim,
    put_back,
    show_reminder,
    show_rest,
    show_time_left,
    show_workload,
    take_cleared,
)
from apps.review.components.guidelines import show_guidelines
from apps.review.components.judgement import show_decision_buttons, show_judged, show_last_undo
from apps.review.components.keys import OPEN_KEY, PUT_BACK_KEY, offer_key
from apps.review.components.messages import run_page, show_message, show_notice
from apps.review.components.page import describe_age
from apps.review.components.post_text import show_facts, show_resources
from apps.review.components.queue_filters import count_filters, show_clear_button
from apps.review.components.reading import is_shown, show_reading_choices, show_words
from apps.review.components.revealed import show_revealed
from apps.review.components.similar import describe_group, show_similar
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import DailyCapReachedError, NotAllowedError
from apps.review.services.leases import claim_next
from apps.review.services.posts import PostDetail, load_post
from apps.review.state import (
    load_context,
    load_open_post,
    load_queue_filters,
    require_signed_in,
    set_open_post,
    set_settling,
)


def show() -> None:
    """Show the judged post still on the screen, or the next one."""
    actor, context = require_signed_in("judge"), load_context()
    st.title("Post", anchor=False)
    show_notice()
    if is_resting():
        show_rest(context, actor)
        return
    if take_cleared():
        st.button("Open the next post", type="primary", shortcut=offer_key(OPEN_KEY), key="open_next")
        return
    workload = show_reminder(context, actor)
    with st.sidebar:
        show_workload(workload)
    show_reading_choices()
    _show_desk(context, actor)


def _show_desk(context: ReviewContext, actor: SignedIn) -> None:
    try:
        post = _load(context, actor)
    except DailyCapReachedError as reached:
        show_message(f"{reached}. Thank you for today", "calm")
        show_last_undo()
        return
    if post is None:
        _show_nothing_free()
        show_last_undo()
        return
    if post.is_adjudication:
        set_settling(post.post_id)
        st.switch_page("views/adjudication.py")
    text_side, desk_side = st.columns([1.9, 1], gap="large")
    with text_side:
        with st.container():
            show_facts(_list_facts(post))
            show_words(post)
        show_similar(context, actor, post)
        show_guidelines()
    with desk_side:
        _show_side(context, post)


def _show_nothing_free() -> None:
    if count_filters():
        show_message("Nothing more waits under your filters.", "calm")
        show_clear_button()
    else:
        show_message("Nothing is free right now. Posts come with an import, or when a desk is cleared.", "calm")


def _load(context: ReviewContext, actor: SignedIn) -> PostDetail | None:
    judged = load_open_post()
    if judged is not None:
        try:
            return load_post(context, actor, judged)
        except NotAllowedError:
            set_open_post(None)
    post_id = claim_next(context, actor, load_queue_filters())
    note_claim(context)
    return load_post(context, actor, post_id) if post_id is not None else None


def _show_side(context: ReviewContext, post: PostDetail) -> None:
    if post.revealed is not None:
        with st.container():
            show_revealed(post.revealed)
    else:
        st.empty()  # clears that place at once: the buttons below do not move when the page is finished
    if post.is_on_desk:
        st.subheader("Your judgement", anchor=False)
        show_decision_buttons(context, post.post_id, is_ready=is_shown(post.post_id))
        show_time_left(context)
        st.button("Put back", key="put_back", shortcut=offer_key(PUT_BACK_KEY), width="stretch", on_click=put_back)
        show_last_undo()
    else:
        show_judged(context, post)
    show_resources(context)


def _list_facts(post: PostDetail) -> list[tuple[str, str]]:
    facts = [("Post", post.post_id), ("waiting", describe_age(post.waits_since))]
    if post.created_at is not None:
        facts.append(("written", f"{post.created_at:%Y-%m-%d}, {describe_age(post.created_at)} ago"))
    if post.community is not None:
        facts.append(("from", post.community))
    if post.n_near_duplicates:
        facts.append(("has", describe_group(post.n_near_duplicates)))
    return facts


run_page(show)
