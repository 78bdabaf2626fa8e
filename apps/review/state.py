"""What the web pages share: the open store, who is signed in, and which post is on the screen."""

import os
from typing import NoReturn

import streamlit as st

from apps.review.identity.cookies import read_token
from apps.review.identity.oidc import OidcAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.identity.sessions import Sessions
from apps.review.identity.settings import SignInSettings, read_sign_in_settings
from apps.review.server import open_context
from apps.review.services.access import Permission, is_permitted, load_role
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotSignedInError, StoreBusyError, StoreUnavailableError
from apps.review.services.filters import QueueFilters
from apps.review.services.own_account import sign_out

_SIGNED_IN = "signed_in"
_NOTICE = "notice"
_IS_PROBLEM = "notice_is_problem"
_REFUSED = "refused_token"
_LEAVES = "leaves"
_BY_ITSELF = "drawn_by_itself"
_OPEN_POST = "open_post"
_SHOWN_POST = "shown_post"
_FILTERS = "queue_filters"
_SETTLING = "settling"
_TAKEN_OVER = "taken_over"
_N_ESCALATED = "n_escalated"


def load_context() -> ReviewContext:
    """Load what this server works on, for the gate and all sessions the same."""
    return open_context()


def load_sign_in_settings() -> SignInSettings:
    """Tell how people sign in at this server."""
    return read_sign_in_settings(os.environ)


def refresh_session() -> SignedIn | None:
    """Note activity and return who is signed in; an ended session is emptied."""
    held = st.session_state.get(_SIGNED_IN)
    found = _find_session(held)
    if found is not None and held is not None and found.session_id != held.session_id:
        st.session_state.clear()  # another person's state, met again under this connection
    current = found if found is not None and not found.must_change_password else None
    if current is not None and not st.session_state.pop(_BY_ITSELF, False):
        current = _open_sessions().touch(current)
    if current is not None:
        st.session_state[_SIGNED_IN] = current
    elif held is not None:
        end_session("Your session has ended. Sign in again to go on; every decision you made is saved.")
    return current


def rerun_by_itself() -> NoReturn:
    """Draw everything again though nobody touched the page, which is no activity."""
    st.session_state[_BY_ITSELF] = True
    st.rerun(scope="app")


def _open_sessions() -> Sessions:
    context = load_context()
    return Sessions(context.store, context.settings.session, context.clock)


def _find_session(held: SignedIn | None) -> SignedIn | None:
    """Find the session of the connection's cookie; what the page remembers never counts by itself.

    Only an identity without a session of its own, which no server makes but a test, is taken as it is.
    """
    settings = load_sign_in_settings()
    cookies = {name: value for name, value in st.context.cookies.items() if isinstance(value, str)}
    token = read_token(cookies, settings)
    if token is None:
        return _reload(held) if held is not None and not held.session_id else None
    return _open_sessions().find(token, settings.method) or _adopt(token, settings)


def _adopt(token: str, settings: SignInSettings) -> SignedIn | None:
    """Open a session for a sign-in by OpenID Connect that was not seen before."""
    if settings.oidc is None or not st.user.is_logged_in or st.session_state.get(_REFUSED) == token:
        return None
    context = load_context()
    if _open_sessions().is_known(token):
        return None
    request = SignInRequest(claims=st.user.to_dict())
    signed_in = OidcAccounts(context.store, settings.oidc).identify(request, context.clock())
    if signed_in is None:
        st.session_state[_REFUSED] = token  # one event per visit, not one per click
        return _open_sessions().find(token, settings.method)  # another window was first
    opened = _open_sessions().open(signed_in, token)
    return (
        opened[0] if opened is not None else _open_sessions().find(token, settings.method)
    )  # another window was first


def is_refused() -> bool:
    """Tell whether this visit's sign-in by OpenID Connect belongs to no account."""
    return st.session_state.get(_REFUSED) is not None


def _reload(signed_in: SignedIn) -> SignedIn | None:
    context = load_context()
    try:
        with context.store.read() as session:
            return signed_in.model_copy(update={"role": load_role(context, session, signed_in)})
    except NotSignedInError:
        return None


def is_session_over() -> bool:
    """Tell whether the session ended while nobody touched the page; asking is no activity."""
    signed_in, context = st.session_state.get(_SIGNED_IN), load_context()
    if signed_in is None:
        return True
    try:
        return _open_sessions().is_over(signed_in)
    except (StoreBusyError, StoreUnavailableError):  # what the page remembers is all there is to go by
        return context.settings.session.is_expired(signed_in, context.clock())


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
    try:
        if signed_in is not None:
            sign_out(load_context(), signed_in)
    except (StoreBusyError, StoreUnavailableError) as error:
        put_notice(str(error), is_problem=True)
        return
    except NotSignedInError:  # it was over already
        pass
    end_session("You are signed out.")
    st.session_state[_LEAVES] = True


def end_session(notice: str) -> None:
    """End the session for good, and forget everything about it but one sentence."""
    signed_in = st.session_state.get(_SIGNED_IN)
    if signed_in is not None and signed_in.session_id:
        _open_sessions().end(signed_in.session_id)
    st.session_state.clear()
    st.session_state[_NOTICE] = notice


def take_leave() -> bool:
    """Tell once whether the person has just signed out."""
    return bool(st.session_state.pop(_LEAVES, False))


def put_notice(text: str, *, is_problem: bool = False) -> None:
    """Leave one sentence for the next page that is drawn."""
    st.session_state[_NOTICE], st.session_state[_IS_PROBLEM] = text, is_problem


def take_notice() -> tuple[str, bool] | None:
    """Take the sentence left by the page before, and whether it tells of a problem."""
    text, is_problem = st.session_state.pop(_NOTICE, None), st.session_state.pop(_IS_PROBLEM, False)
    return (text, is_problem) if text is not None else None


def load_open_post() -> str | None:
    """Id of the judged post that is still on the screen, if any."""
    return st.session_state.get(_OPEN_POST)


def set_open_post(post_id: str | None) -> None:
    """Keep a judged post on the screen, or let the next one come."""
    st.session_state[_OPEN_POST] = post_id


def load_shown_post() -> str | None:
    """Id of the post whose words were asked for, if any."""
    return st.session_state.get(_SHOWN_POST)


def set_shown_post(post_id: str | None) -> None:
    """Show the words of one post, or hide them."""
    st.session_state[_SHOWN_POST] = post_id


def load_queue_filters() -> QueueFilters | None:
    """Which of the waiting posts this person wants to see, if they chose."""
    return st.session_state.get(_FILTERS)


def set_queue_filters(filters: QueueFilters | None) -> None:
    """Keep the choice for the queue and for the next posts."""
    st.session_state[_FILTERS] = filters


def load_settling() -> str | None:
    """Id of the post a lead is settling, if any."""
    return st.session_state.get(_SETTLING)


def set_settling(post_id: str | None) -> None:
    """Keep the post a lead is settling on the screen."""
    st.session_state[_SETTLING] = post_id


def load_taken_over() -> str | None:
    """Id of the escalated post a lead has taken over and looks at, if any."""
    return st.session_state.get(_TAKEN_OVER)


def set_taken_over(post_id: str | None) -> None:
    """Keep the post a lead has taken over on the screen."""
    st.session_state[_TAKEN_OVER] = post_id


def load_n_escalated() -> int:
    """Tell how many escalated posts waited when this page began to be drawn; 0 for those who take none over."""
    return int(st.session_state.get(_N_ESCALATED, 0))


def set_n_escalated(n_posts: int) -> None:
    """Keep the count for the page that is drawn next."""
    st.session_state[_N_ESCALATED] = n_posts
