"""The words of a post on a page: on the screen only after they were asked for, and until they are hidden again."""

import streamlit as st

from apps.review.components.keys import SHOW_KEY, offer_key
from apps.review.components.post_text import show_hidden_text, show_legend, show_size_choice, show_text
from apps.review.services.posts import PostDetail
from apps.review.state import load_shown_post, set_shown_post

_ALWAYS = "always_show_text"


def show_reading_choices() -> None:
    """Offer, in the sidebar, larger text and text that is shown at once."""
    with st.sidebar:
        show_size_choice()
        st.toggle("Always show the text at once", key=_ALWAYS, persist_state="session")


def is_shown(post_id: str) -> bool:
    """Tell whether the words of a post are on the screen."""
    return load_shown_post() == post_id or _is_always()


def show_words(post: PostDetail) -> None:
    """Show a post's words with their highlights, or a stand-in until they are asked for."""
    is_here = is_shown(post.post_id)
    icon = ":material/visibility_off:" if is_here else ":material/visibility:"
    label = "Hide the text" if is_here else "Show the text"
    if st.button(label, key="show_text", shortcut=offer_key(SHOW_KEY), icon=icon, disabled=_is_always()):
        set_shown_post(None if is_here else post.post_id)
        st.rerun()
    if not is_here:
        show_hidden_text()
        return
    show_text(post.text, post.revealed.highlights if post.revealed else ())
    if post.is_truncated:
        st.caption("The model read only the beginning of this post.")
    if post.revealed is not None:
        show_legend(post.revealed)


def _is_always() -> bool:
    return bool(st.session_state.get(_ALWAYS))
