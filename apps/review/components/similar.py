"""Posts that say nearly the same: shown with their words, so that the same decision is a look and not a guess."""

import streamlit as st

from apps.review.components.labels import label_decision, mark_post, to_label
from apps.review.components.post_text import show_text
from apps.review.components.reading import is_shown
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import ReviewError
from apps.review.services.groups import decide_group, load_group
from apps.review.services.posts import PostDetail
from apps.review.state import put_notice


def show_similar(context: ReviewContext, actor: SignedIn, post: PostDetail) -> None:
    """Offer a judged post's decision to the near-duplicates that wait, each after a look at it; none is ticked."""
    if post.n_near_duplicates == 0 or post.standing is None or post.is_adjudication:
        return
    members = load_group(context, actor, post.post_id)
    if not members:
        return
    st.subheader(describe_group(len(members)), anchor=False)
    if not is_shown(post.post_id):
        st.caption("Their words are shown with the text of this post.")
        return
    st.caption("They say nearly the same. Tick those that deserve the same decision; the others stay in the queue.")
    ticked = []
    for member in members:
        show_text(member.text, is_small=True)
        if st.checkbox(to_label(f"Same decision for {member.post_id}"), key=f"same_{mark_post(member.post_id)}"):
            ticked.append(member.post_id)
    label = f"{label_decision(post.standing.decision)} for {len(ticked)} more"
    if st.button(label, key="decide_group", disabled=not ticked):
        _decide(context, actor, post.post_id, post.standing.decision, ticked)


def describe_group(n_posts: int) -> str:
    """Say how many posts are alike.

    Examples
    --------
    >>> describe_group(3)
    '3 similar posts'
    """
    return f"{n_posts} similar post{'' if n_posts == 1 else 's'}"


def _decide(context: ReviewContext, actor: SignedIn, post_id: str, decision: str, member_ids: list[str]) -> None:
    try:
        n_saved = len(decide_group(context, actor, post_id, member_ids))
        saved = f"Saved: the same decision for {describe_group(n_saved)}. The history can take back each."
        put_notice(f"{saved} {context.settings.after_escalation}" if decision == "escalate" else saved)
    except ReviewError as error:
        put_notice(str(error), is_problem=True)
    st.rerun()
