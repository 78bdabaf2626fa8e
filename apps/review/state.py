"""What the web pages share: the open store, who is signed in, and which post is on the screen."""

import os
from datetime import UTC, datetime

import streamlit as st

from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.server import BLIND_VARIABLE
from apps.review.services.access import Permission, is_permitted, load_role
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.errors import NotSignedInError
from apps.review.services.own_account import sign_out
from apps.review.store.database import open_store, resolve_url

_SIGNED_IN = "signed_in"
_NOTICE = "notice"
_OPEN_POST = "open_post"


def load_context() -> ReviewContext:
    """Open the store of this server once for all sessions."""
    return _open_context(resolve_url(), os.environ.get(BLIND_VARIABLE, "1") != "0")


@st.cache_resource(show_spinner=False)
def _open_context(url: str, is_blind: bool) -> ReviewContext:
    return ReviewContext(open_store(url), ReviewSettings(is_blind=is_blind))


@st.cache_resource(show_spinner=False)
def _open_provider(url: str) -> LocalAccounts:
    return LocalAccounts(open_store(url))


def try_sign_in(request: SignInRequest) -> bool:
    """Ask the identity provider; on success the session is theirs."""
    signed_in = _open_provider(resolve_url()).identify(request, datetime.now(UTC))
    if signed_in is None:
        return False
    st.session_state.clear()
    st.session_state[_SIGNED_IN] = signed_in
    return True


def refresh_session() -> SignedIn | None:
    """Note activity and return who is signed in; an ended session is emptied."""
    signed_in = st.session_state.get(_SIGNED_IN)
    if signed_in is None:
        return None
    context = load_context()
    touched = context.settings.session.touch(signed_in, context.clock())
    role = _load_role_or_none(context, touched)
    if touched is None or role is None:
        end_session("Your session has ended. Sign in again to go on; every decision you made is saved.")
        return None
    st.session_state[_SIGNED_IN] = touched.model_copy(update={"role": role})
    return touched


def _load_role_or_none(context: ReviewContext, signed_in: SignedIn | None) -> str | None:
    try:
        with context.store.read() as session:
            return load_role(context, session, signed_in)
    except NotSignedInError:
        return None


def is_session_over() -> bool:
    """Tell whether the session ended while nobody touched the page; asking is no activity."""
    signed_in, context = st.session_state.get(_SIGNED_IN), load_context()
    return signed_in is None or context.settings.session.is_expired(signed_in, context.clock())


def require_signed_in(permission: Permission | None = None) -> SignedIn:
    """Stop the page unless someone is signed in whose role fits; the services check again."""
    signed_in = st.session_state.get(_SIGNED_IN)
    if signed_in is None or is_session_over():
        st.error("Sign in first.")
        st.stop()
    if permission is not None and not is_permitted(signed_in.role, permission):
        st.error(f"The role {signed_in.role} has no access to this page.")
        st.stop()
    return signed_in


def leave() -> None:
    """Sign out: give back the post on the desk and empty the session."""
    signed_in = st.session_state.get(_SIGNED_IN)
    if signed_in is not None:
        sign_out(load_context(), signed_in)
    end_session("You are signed out.")


def end_session(notice: str) -> None:
    """Forget everything about this session but one sentence."""
    st.session_state.clear()
    st.session_state[_NOTICE] = notice


def put_notice(text: str) -> None:
    """Leave one sentence for the next page that is drawn."""
    st.session_state[_NOTICE] = text


def take_notice() -> str | None:
    """Take the sentence left by the page before."""
    return st.session_state.pop(_NOTICE, None)


def load_open_post() -> str | None:
    """Id of the judged post that is still on the screen, if any."""
    return st.session_state.get(_OPEN_POST)


def set_open_post(post_id: str | None) -> None:
    """Keep a judged post on the screen, or let the next one come; the text is hidden again."""
    st.session_state[_OPEN_POST] = post_id
