"""Who may do what; asked at the start of every service, in the same transaction as what follows."""

from typing import Literal

from sqlalchemy.orm import Session

from apps.review.identity.passwords import compute_password_tag
from apps.review.identity.records import OPERATOR_PROVIDER, Role, SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError, NotSignedInError
from apps.review.store.models import User

Permission = Literal["judge", "see_own_history", "see_all_history", "undo_any", "verify", "import", "manage_accounts"]

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    "reviewer": frozenset({"judge", "see_own_history"}),
    "lead": frozenset({"judge", "see_own_history", "see_all_history", "undo_any", "verify"}),
    "auditor": frozenset({"see_all_history", "verify"}),
    "admin": frozenset({"import", "manage_accounts", "verify"}),
}


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
    if permission not in PERMISSIONS[role]:
        allowed = ", ".join(sorted(name for name, granted in PERMISSIONS.items() if permission in granted))
        message = f"the role {role} may not {permission.replace('_', ' ')}; roles that may: {allowed}"
        raise NotAllowedError(message)
    return role


def load_role(context: ReviewContext, session: Session, actor: SignedIn | None) -> Role:
    """Read the actor's role from the store, not from the session.

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
    roles: dict[str, Role] = {name: name for name in PERMISSIONS}
    return roles[user.role]


def is_permitted(role: Role, permission: Permission) -> bool:
    """Tell a view what to offer; the services check again."""
    return permission in PERMISSIONS[role]
