"""Accounts: adding them, changing passwords, signing out."""

from sqlalchemy import update

from apps.review.identity.local import validate_name
from apps.review.identity.passwords import hash_password
from apps.review.identity.records import ROLES, SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import QueueItem, User
from screening.exceptions import ConfigError


def add_user(
    context: ReviewContext, actor: SignedIn, *, name: str, role: str, password: str, is_generated: bool = False
) -> str:
    """Create a local account; returns its normalized name.

    Raises
    ------
    ConfigError
        If the name is taken or not a name, the role unknown, or the password too short.
    NotAllowedError
        If the actor is no admin.
    """
    user_name = validate_name(name)
    if role not in ROLES:
        message = f"a role is one of {', '.join(ROLES)}, found {role!r}"
        raise ConfigError(message)
    password_hash = hash_password(password)
    now = context.clock()
    with context.store.write() as session:
        authorize(context, session, actor, "manage_accounts")
        if session.get(User, user_name) is not None:
            message = f"the account {user_name!r} exists; use set-password to give it a new password"
            raise ConfigError(message)
        session.add(
            User(
                name=user_name,
                role=role,
                provider="local",
                password_hash=password_hash,
                is_active=True,
                is_generated=is_generated,
                n_failures=0,
                locked_until=None,
                created_at=to_timestamp(now),
            )
        )
        append_event(
            session, at=now, actor=actor.user_name, kind="user_added", payload={"user": user_name, "role": role}
        )
    return user_name


def set_password(context: ReviewContext, actor: SignedIn, *, name: str, password: str) -> None:
    """Give an account a new password; its open sessions and its lockout end.

    Raises
    ------
    ConfigError
        If there is no such account, or the password is too short.
    """
    password_hash = hash_password(password)
    with context.store.write() as session:
        authorize(context, session, actor, "manage_accounts")
        user = session.get(User, validate_name(name))
        if user is None:
            message = f"there is no account {name!r}; add it with add-user"
            raise ConfigError(message)
        user.password_hash, user.n_failures, user.locked_until = password_hash, 0, None
        append_event(
            session, at=context.clock(), actor=actor.user_name, kind="password_set", payload={"user": user.name}
        )


def is_generated_account(context: ReviewContext, name: str) -> bool | None:
    """Tell whether an account has a generated password; ``None`` if there is no such account."""
    with context.store.read() as session:
        user = session.get(User, name)
        return None if user is None else user.is_generated


def sign_out(context: ReviewContext, actor: SignedIn) -> None:
    """Give back the post on the desk and note the sign-out; an ended session may still sign out."""
    with context.store.write() as session:
        session.execute(
            update(QueueItem)
            .where(QueueItem.leased_by == actor.user_name)
            .values(leased_by=None, lease_expires_at=None)
        )
        append_event(session, at=context.clock(), actor=actor.user_name, kind="sign_out")
