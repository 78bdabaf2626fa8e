"""Signing in with a name and a password."""

import streamlit as st
from pydantic import SecretStr

from apps.review.components.page import show_notice
from apps.review.identity.records import SignInRequest
from apps.review.state import try_sign_in


def show() -> None:
    """Show the form; every refusal reads the same."""
    _, middle, _ = st.columns([1, 1.3, 1])
    with middle:
        st.title("Review", anchor=False)
        st.text("Posts flagged for review, read and judged by people.")
        show_notice()
        with st.form("sign_in_form", enter_to_submit=True):
            name = st.text_input("User name", key="user_name", autocomplete="username")
            password = st.text_input("Password", type="password", key="password", autocomplete="current-password")
            is_sent = st.form_submit_button("Sign in", type="primary", width="stretch")
        if is_sent:
            if try_sign_in(SignInRequest(user_name=name, password=SecretStr(password))):
                st.rerun()
            st.error(
                "That did not work. Check the name and the password. After five wrong passwords in a row an account "
                "rests for 15 minutes."
            )
        st.caption("A flag means that a post resembles posts from certain subreddits. It is not a diagnosis.")


show()
