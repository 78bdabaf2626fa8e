"""What stands on every page: style, who is signed in, and the watch that ends a session nobody touches."""

import html
from datetime import UTC, datetime, timedelta

import streamlit as st

from apps.review.state import end_session, is_session_over, leave, take_notice
from screening.explain.rendering import HIGHLIGHT_CSS

_STYLE = """
.block-container, [data-testid="stMainBlockContainer"] {padding-top: 3.2rem; max-width: 72rem}
h1 {font-size: 1.7rem !important; font-weight: 650 !important; letter-spacing: -.01em}
h2, h3 {font-size: 1.05rem !important; font-weight: 650 !important}
.post-box {border: 1px solid color-mix(in srgb, currentColor 16%, transparent); border-radius: .6rem;
  padding: 1.2rem 1.4rem; max-height: 62vh; overflow: auto; font-size: 1.06rem;
  background: color-mix(in srgb, currentColor 2.5%, transparent)}
.post-box .post-text {max-width: 68ch}
.post-blurred {filter: blur(5px); user-select: none; opacity: .55; max-height: 20rem; overflow: hidden;
  overflow-wrap: anywhere; line-height: 1.75}
.facts {display: flex; flex-wrap: wrap; gap: .35rem 1.4rem; margin: 0 0 .2rem; font-size: .92rem; opacity: .85}
.notice {border-left: 3px solid #1f6f6b; background: color-mix(in srgb, #1f6f6b 9%, transparent); padding: .45rem .9rem;
  border-radius: 0 .4rem .4rem 0; font-size: .95rem}
.resources {font-size: .9rem; line-height: 1.5; border-left: 3px solid #1f6f6b; padding: .1rem 0 .1rem .8rem}
.resources div {margin: .3rem 0 0}
.level {display: inline-block; border: 1.5px solid currentColor; border-radius: 1rem; padding: 0 .6rem;
  font-size: .86rem; font-weight: 600; line-height: 1.6}
.level.refer {color: light-dark(#9d3412, #f3a77f)}
.level.review {color: light-dark(#1f5f96, #8fc2ee)}
.level.no_flag {opacity: .7}
.probabilities th {text-align: left; font-weight: 400; padding-right: 1rem}
.probabilities td {text-align: right}
.legend {font-size: .88rem; opacity: .85}
[class*="st-key-rows_"] [data-testid="stHorizontalBlock"] {flex-wrap: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 10%, transparent); padding-bottom: .35rem}
[class*="st-key-rows_"] [data-testid="stColumn"] {min-width: 0 !important}
[class*="st-key-rows_"] [data-testid="stColumn"]:not(:first-child) {flex: 0 0 6rem; min-width: 6rem !important}
.row {display: flex; flex-wrap: wrap; gap: 0 1.2rem; font-size: .95rem; line-height: 1.6; padding: .3rem 0}
.row > * {flex: 0 1 auto; min-width: 9.5rem; overflow-wrap: anywhere}
.row > :first-child {min-width: 2rem}
.row > :nth-child(2) {min-width: 9rem; font-weight: 600}
.counts {display: flex; flex-wrap: wrap; gap: .6rem 2.6rem; margin: .2rem 0 .4rem}
.counts div {font-size: .92rem; opacity: .9}
.counts strong {display: block; font-size: 1.9rem; font-weight: 500; line-height: 1.15}
.together {white-space: nowrap}
.quiet {opacity: .75; font-size: .92rem}
:root {color-scheme: light dark}
"""


def show_page_style() -> None:
    """Put the style sheet on the page."""
    st.html(f"<style>{_STYLE}{HIGHLIGHT_CSS}</style>")


def show_notice() -> None:
    """Show the sentence the last action left."""
    notice = take_notice()
    if notice:
        st.html(f'<div class="notice" role="status">{html.escape(notice)}</div>')


def show_person() -> None:
    """Show who is signed in and the way out."""
    signed_in = st.session_state["signed_in"]
    with st.sidebar:
        st.caption("Signed in as")
        st.text(f"{signed_in.user_name} · {signed_in.role}")
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
    """
    age = max(timedelta(0), (now or datetime.now(UTC)) - moment)
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        n_units = age // length
        if n_units >= 1:
            return f"{n_units} {unit}" + ("s" if n_units > 1 else "")
    return "less than a minute"
