"""Search by id, and by words for those who may."""

from collections.abc import Callable

import streamlit as st

from apps.review.components.labels import mark_post
from apps.review.components.messages import show_message
from apps.review.components.rows import show_row
from apps.review.identity.records import SignedIn
from apps.review.services.access import is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.search import SearchRow, search_posts
from apps.review.state import set_open_post
from screening.exceptions import ConfigError

_MAX_CHARACTERS = 200
_LIMIT = 20


def show_search(context: ReviewContext, actor: SignedIn, open_post: Callable[[str], None]) -> bool:
    """Show the search field and what it finds; returns whether anything was searched for."""
    query = st.text_input("Search posts by id", key="search", max_chars=_MAX_CHARACTERS, placeholder="part of an id")
    in_text = is_permitted(actor.role, "search_text") and st.toggle("Search their words too", key="search_in_text")
    if not query.strip():
        return False
    try:
        rows = search_posts(context, actor, query, in_text=in_text, limit=_LIMIT)
    except ConfigError as error:
        show_message(str(error), "problem")
        return True
    found = f"{len(rows)} found" if len(rows) < _LIMIT else f"The first {_LIMIT}; search for more characters"
    show_message(found if rows else "No post found", "calm")
    with st.container(key="rows_search", gap="xsmall"):
        for number, row in enumerate(rows, 1):
            _show_row(number, row, open_post)
    return True


def _show_row(number: int, row: SearchRow, open_post: Callable[[str], None]) -> None:
    state = "waits" if row.is_waiting else "judged by you" if row.is_judged_by_me else "does not wait for you"
    (place,) = show_row([f"{number}", row.post_id, state], n_buttons=1)
    if row.is_waiting:
        label = "Taken" if row.is_held_by_other else "Open"
        if place.button(label, key=f"found_{mark_post(row.post_id)}", disabled=row.is_held_by_other, width="stretch"):
            open_post(row.post_id)
    elif row.is_judged_by_me and place.button("Look", key=f"found_{mark_post(row.post_id)}", width="stretch"):
        set_open_post(row.post_id)
        st.switch_page("views/post.py")
