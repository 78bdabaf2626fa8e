"""What stands on every page: style, who is signed in, and the watch that ends a session nobody touches."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import streamlit as st

from apps.review.components.keys import show_key_choice
from apps.review.services.access import is_permitted
from apps.review.state import end_session, is_session_over, leave, load_sign_in_settings
from screening.explain.rendering import HIGHLIGHT_CSS


def show_page_style() -> None:
    """Put the style sheet on the page."""
    st.html(f"<style>{_load_style()}{HIGHLIGHT_CSS}</style>")


@lru_cache(maxsize=1)
def _load_style() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def show_person() -> None:
    """Show who is signed in, the way to a new password, and the way out."""
    signed_in = st.session_state["signed_in"]
    with st.sidebar:
        st.caption("Signed in as")
        st.text(f"{signed_in.user_name} · {signed_in.role}")
        if load_sign_in_settings().method == "local":
            st.html('<a href="/password" target="_self">Change password</a>')
        if is_permitted(signed_in.role, "judge"):
            show_key_choice()
        st.button("Sign out", key="sign_out", on_click=leave, icon=":material/logout:")


@st.fragment(run_every="20s")
def watch_session() -> None:
    """Clear the screen when the session is over, also if nobody touches the page."""
    if is_session_over():
        end_session("Your session has ended. Sign in again to go on; every decision you made is saved.")
        st.rerun(scope="app")


def describe_age(moment: datetime, now: datetime | None = None) -> str:
    """Say how long ago something was, in one unit.

    Examples
    --------
    >>> describe_age(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, 5, tzinfo=UTC))
    '2 days'
    >>> describe_age(datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
    '6 years'
    """
    age = max(timedelta(0), (now or datetime.now(UTC)) - moment)
    lengths = (
        ("year", timedelta(days=365)), ("day", timedelta(days=1)), ("hour", timedelta(hours=1)),
        ("minute", timedelta(minutes=1)),
    )  # fmt: skip
    for unit, length in lengths:
        n_units = age // length
        if n_units >= (2 if unit == "year" else 1):
            return f"{n_units} {unit}" + ("s" if n_units > 1 else "")
    return "less than a minute"
