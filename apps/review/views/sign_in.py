"""What someone sees who is not signed in: the way to the sign-in page, or to the organisation's own."""

import streamlit as st

from apps.review.components.messages import show_notice
from apps.review.state import is_refused, load_sign_in_settings, take_leave


def show() -> None:
    """Show the way in, and nothing else."""
    _, middle, _ = st.columns([1, 1.3, 1])
    with middle:
        st.title("Review", anchor=False)
        st.text("Posts flagged for review, read and judged by people.")
        show_notice()
        if load_sign_in_settings().method == "oidc":
            _show_organisation()
        else:
            st.logout()  # the server's own answer to it: forget the cookie, and go to its sign-in page
            st.html('<p><a href="/" target="_self">Go to the sign-in page</a></p>')
        st.caption("A flag means that a post resembles posts from certain subreddits. It is not a diagnosis.")


def _show_organisation() -> None:
    if take_leave():
        st.logout()
        return
    if is_refused():
        st.error(
            "This sign-in does not open the app: it belongs to no account here, or it is too old. Ask the "
            "administrator to add you, or sign in again."
        )
        st.button("Sign out of this sign-in", key="oidc_sign_out", on_click=st.logout)
    st.button("Sign in with your organisation", key="oidc_sign_in", type="primary", on_click=st.login)


show()
