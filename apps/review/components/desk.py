"""The desk: how long the post stays there, the day's count, and reminders to pause."""

from datetime import timedelta

import streamlit as st

from apps.review.components.decision_clicks import click_put_back
from apps.review.components.messages import show_message
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.workload import Workload, load_workload, take_break
from apps.review.state import put_notice, rerun_by_itself

_UNTIL = "desk_until"
_CLEARED = "desk_cleared"
_RESTING = "is_resting"
_PUT_ASIDE = "reminder_put_aside"  # (posts, minutes) since the last break when the reminder was put aside
_WARN_AT = timedelta(minutes=3)
_POSTS_BETWEEN, _MINUTES_BETWEEN = 10, 15  # a reminder put aside comes back after so much more


def note_claim(context: ReviewContext) -> None:
    """Remember until when the post stays on the desk; the claim was just made or extended."""
    st.session_state[_UNTIL] = context.clock() + context.settings.lease_duration


@st.fragment(run_every="15s")
def show_time_left(context: ReviewContext) -> None:
    """Show how long the post stays on the desk; when the time is over, the screen is cleared."""
    left = st.session_state.get(_UNTIL, context.clock()) - context.clock()
    if left <= timedelta(0):
        put_back()
        put_notice("The time on your desk was over. The post is back in the queue, and nothing was decided.")
        rerun_by_itself()
    minutes = max(1, round(left / timedelta(minutes=1)))
    st.html(f"<div class='quiet'>On your desk for {minutes} more minute{'s' if minutes > 1 else ''}</div>")
    if left <= _WARN_AT and st.button("Keep it longer", key="keep_longer", width="stretch"):
        st.rerun(scope="app")


def put_back() -> None:
    """Give the post back to the queue; the next one comes only when asked for."""
    click_put_back()
    st.session_state[_CLEARED] = True


def take_cleared() -> bool:
    """Tell once whether the desk was just cleared."""
    return bool(st.session_state.pop(_CLEARED, False))


def show_workload(workload: Workload) -> None:
    """Show the day's count."""
    limit = f" of at most {workload.daily_cap:,}" if workload.daily_cap is not None else ""
    st.caption(f"Judged today: {workload.n_today:,}{limit}")


def show_reminder(context: ReviewContext, actor: SignedIn) -> Workload:
    """Suggest a break when one is due, unless the reminder was put aside a short while ago."""
    workload = load_workload(context, actor)
    aside = st.session_state.get(_PUT_ASIDE)
    if aside is not None and workload.n_since_break < aside[0]:
        aside = None  # a break was noted since
    is_quiet = aside is not None and (
        workload.n_since_break < aside[0] + _POSTS_BETWEEN
        and workload.minutes_since_break < aside[1] + _MINUTES_BETWEEN
    )
    with st.container(key="reminder"):  # a place of its own, as the notice has
        if workload.is_break_due and not is_quiet:
            _show_reminder(workload)
    return workload


def is_resting() -> bool:
    """Tell whether a break was begun and not ended."""
    return bool(st.session_state.get(_RESTING))


def show_rest(context: ReviewContext, actor: SignedIn) -> None:
    """Show an empty, quiet page until the person goes on."""
    show_message("Nothing is on your desk. Take the time you need.", "calm")
    if st.button("Go on", key="go_on", type="primary"):
        take_break(context, actor)
        st.session_state.pop(_RESTING, None)
        st.session_state.pop(_PUT_ASIDE, None)
        st.rerun()


def _show_reminder(workload: Workload) -> None:
    n, minutes = workload.n_since_break, int(workload.minutes_since_break)
    done = f"You have judged {n} post{'' if n == 1 else 's'} in {minutes} minute{'' if minutes == 1 else 's'}."
    show_message(f"{done} A short break may do good.", "calm")
    with st.container(horizontal=True):
        st.button("Take a break", key="take_break", on_click=_rest)
        st.button("Not now", key="not_now", on_click=_put_aside, args=(n, workload.minutes_since_break))


def _rest() -> None:
    click_put_back()
    st.session_state[_RESTING] = True


def _put_aside(n_posts: int, minutes: float) -> None:
    st.session_state[_PUT_ASIDE] = (n_posts, minutes)
