"""Who may do what; asked at the start of every service, in the same transaction as what follows."""

from typing import Literal

from sqlalchemy.orm import Session

from apps.review.identity.passwords import compute_password_tag
from apps.review.identity.records import OPERATOR_PROVIDER, Role, SignedIn, to_role
from apps.review.identity.sessions import load_session
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError, NotSignedInError
from apps.review.store.models import User

Permission = Literal[
    "judge", "see_own_history", "see_all_history", "undo_any", "adjudicate", "take_over", "search_text",
    "see_dashboard", "see_audit_slice", "see_thresholds", "export", "export_text",
    "verify", "import", "erase", "manage_accounts",
]  # fmt: skip

_OVERSIGHT: frozenset[Permission] = frozenset(
    {"see_all_history", "verify", "see_dashboard", "see_audit_slice", "see_thresholds", "export"}
)

# The one table of who may do what. An administrator reads no posts, and an auditor none either.
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    "reviewer": frozenset({"judge", "see_own_history"}),
    "lead": _OVERSIGHT
    | {"judge", "see_own_history", "undo_any", "adjudicate", "take_over", "search_text", "export_text"},
    "auditor": _OVERSIGHT,
    "admin": frozenset({"import", "erase", "manage_accounts", "verify"}),
}

# The person at the server's own command line can open the database file anyway; what they do is written down.
OPERATOR_PERMISSIONS: frozenset[Permission] = (
    PERMISSIONS["admin"] | (_OVERSIGHT - {"see_all_history"}) | {"export_text"}
)


def authorize(context: ReviewContext, session: Session, actor: SignedIn | None, permission: Permission) -> Role:
    """Return the actor's present role, or refuse.

    Raises
    ------
    NotSignedInError
        If nobody is signed in, the session is over, or the account is closed or got a new password.
    NotAllowedError
        If the role does not include the permission.
    """
    role = load_role(context, session, actor)
    is_operator = actor is not None and actor.provider == OPERATOR_PROVIDER
    if permission not in (OPERATOR_PERMISSIONS if is_operator else PERMISSIONS[role]):
        allowed = ", ".join(sorted(name for name, granted in PERMISSIONS.items() if permission in granted))
        message = f"the role {role} may not {permission.replace('_', ' ')}; roles that may: {allowed}"
        raise NotAllowedError(message)
    return role


def load_role(
    context: ReviewContext, session: Session, actor: SignedIn | None, *, may_change_password: bool = False
) -> Role:
    """Read the actor's role from the store, not from the session, so that a change counts at the next call.

    Parameters
    ----------
    may_change_password : bool
        Let also those in who have to choose a new password first: only for choosing it.

    Raises
    ------
    NotSignedInError
        As :func:`authorize`.
    """
    if actor is None:
        message = "nobody is signed in; sign in first"
        raise NotSignedInError(message)
    if actor.provider == OPERATOR_PROVIDER:
        return actor.role
    if context.settings.session.is_expired(actor, context.clock()):
        message = "the session is over; sign in again"
        raise NotSignedInError(message)
    user = session.get(User, actor.user_name)
    if user is None or not user.is_active or compute_password_tag(user.password_hash) != actor.password_tag:
        message = "this account was closed or changed; sign in again"
        raise NotSignedInError(message)
    _require_open_session(session, actor)
    if user.must_change_password and not may_change_password:
        message = "this password was made for one sign-in only; choose your own first"
        raise NotSignedInError(message)
    return to_role(user.role)


def _require_open_session(session: Session, actor: SignedIn) -> None:
    """Refuse a session that was ended elsewhere: by signing out in another tab, or by an administrator."""
    if not actor.session_id:
        return
    found = load_session(session, actor.session_id)
    if found is None or found.user_name != actor.user_name:
        message = "this session was ended; sign in again"
        raise NotSignedInError(message)


def is_permitted(role: Role, permission: Permission) -> bool:
    """Tell a view what to offer; the services check again."""
    return permission in PERMISSIONS[role]
