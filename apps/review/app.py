"""The page that is always run: decides what there is to see, and for whom."""

import streamlit as st

from apps.review.components.page import show_page_style, show_person, watch_session
from apps.review.services.access import is_permitted
from apps.review.state import refresh_session


def main() -> None:
    """Show the sign-in page, or the pages of the signed-in person's role."""
    st.set_page_config(page_title="Review", layout="wide", initial_sidebar_state="auto")
    show_page_style()
    if refresh_session() is None:
        st.navigation([st.Page("views/sign_in.py", title="Sign in")], position="hidden").run()
        return
    role = st.session_state["signed_in"].role
    pages = []  # without icons: the framework would fetch the icon of a page from a font server
    if is_permitted(role, "judge"):
        pages += [
            st.Page("views/queue.py", title="Queue", default=True),
            st.Page("views/post.py", title="Post"),
        ]
    pages.append(st.Page("views/history.py", title="History", default=not pages))
    page = st.navigation(pages)
    show_person()
    watch_session()
    page.run()


main()
