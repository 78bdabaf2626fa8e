"""Accounts: adding them, their roles and passwords, closing them. Every change is an event, without the password."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from apps.review.identity.local import normalize_name, validate_name
from apps.review.identity.passwords import hash_password, validate_password
from apps.review.identity.records import PROVIDERS, ROLES, SignedIn
from apps.review.identity.sessions import end_sessions
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import QueueItem, User, UserSession
from screening.exceptions import ConfigError
from screening.types import Record

Credential = Literal["own", "one_time", "demonstration"]


class Account(Record):
    """One account as an administrator sees it."""

    name: str
    role: str
    provider: str
    is_active: bool
    is_locked: bool
    must_change_password: bool
    created_at: datetime
    last_seen_at: datetime | None


def list_accounts(context: ReviewContext, actor: SignedIn) -> Sequence[Account]:
    """Every account, by name."""
    with context.store.read() as session:
        authorize(context, session, actor, "manage_accounts")
        now = to_timestamp(context.clock())
        last_seen = (
            select(func.max(UserSession.last_seen_at)).where(UserSession.user_name == User.name).scalar_subquery()
        )
        rows = session.execute(select(User, last_seen).order_by(User.name)).all()
        return [_to_account(user, seen, now) for user, seen in rows]


def add_user(
    context: ReviewContext,
    actor: SignedIn,
    *,
    name: str,
    role: str,
    password: str | None = None,
    credential: Credential = "own",
    provider: str = "local",
    subject: str | None = None,
) -> str:
    """Create an account; returns its normalized name.

    Parameters
    ----------
    password : str or None
        Needed for a local account; ``None`` where another provider signs the person in.
    credential : str
        ``own``; ``one_time`` if it serves for one sign-in, at which the person chooses their own; ``demonstration`` if
        the demonstration gives the account a new one at every start.
    provider : str
        ``local``, ``oidc`` (the name is the e-mail address, or ``subject`` is given) or ``proxy``.
    subject : str or None
        The identity provider's lasting name for the person; ``None`` binds it at the first sign-in.

    Raises
    ------
    ConfigError
        If the name is taken or not a name, the role or provider unknown, or the password unusable.
    NotAllowedError
        If the actor is no admin.
    """
    user_name = validate_name(name)
    _require_one_of("role", role, ROLES)
    _require_one_of("provider", provider, PROVIDERS)
    if (provider == "local") != (password is not None):
        message = f"a local account needs a password and others must not have one; found provider {provider!r}"
        raise ConfigError(message)
    password_hash = hash_new_password(user_name, password) if password is not None else None
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
                provider=provider,
                subject=subject,
                password_hash=password_hash,
                is_active=True,
                is_generated=credential == "demonstration",
                must_change_password=credential == "one_time",
                n_failures=0,
                locked_until=None,
                created_at=to_timestamp(now),
            )
        )
        payload = {"user": user_name, "role": role, "provider": provider}
        append_event(session, at=now, actor=actor.user_name, kind="user_added", payload=payload)
    return user_name


def set_password(
    context: ReviewContext, actor: SignedIn, *, name: str, password: str, is_one_time: bool = False
) -> None:
    """Give a local account a new password; its open sessions and its lockout end.

    Raises
    ------
    ConfigError
        If there is no such account, it has no password, or the new one is unusable.
    """
    password_hash = hash_new_password(normalize_name(name), password)
    with context.store.write() as session:
        authorize(context, session, actor, "manage_accounts")
        user = _find_user(session, name)
        if user.provider != "local":
            message = f"the account {user.name!r} signs in by {user.provider} and has no password here"
            raise ConfigError(message)
        user.password_hash, user.must_change_password = password_hash, is_one_time
        user.n_failures, user.locked_until = 0, None
        end_sessions(session, user.name, context.clock())
        _note(session, context, actor, "password_set", user.name)


def change_role(context: ReviewContext, actor: SignedIn, *, name: str, role: str) -> None:
    """Give someone another role; counts at their next call, also in open sessions; the post on their desk goes back.

    Raises
    ------
    NotAllowedError
        If it is the actor's own account, or no active administrator would be left.
    ConfigError
        If there is no such account or role.
    """
    _require_one_of("role", role, ROLES)
    with context.store.write() as session:
        authorize(context, session, actor, "manage_accounts")
        user = _find_user(session, name)
        _refuse_own_account(actor, user)
        if user.role == role:
            return
        if user.role == "admin":
            _require_another_admin(session, user)
        payload = {"from": user.role, "to": role}
        user.role = role
        clear_desk(session, user.name)
        _note(session, context, actor, "role_changed", user.name, payload)


def deactivate_user(context: ReviewContext, actor: SignedIn, *, name: str) -> None:
    """Close an account: its sessions end now, and the post on its desk goes back.

    Raises
    ------
    NotAllowedError
        If it is the actor's own account, or no active administrator would be left.
    """
    with context.store.write() as session:
        authorize(context, session, actor, "manage_accounts")
        user = _find_user(session, name)
        _refuse_own_account(actor, user)
        if not user.is_active:
            return
        if user.role == "admin":
            _require_another_admin(session, user)
        user.is_active = False
        end_sessions(session, user.name, context.clock())
        clear_desk(session, user.name)
        _note(session, context, actor, "user_deactivated", user.name)


def reactivate_user(context: ReviewContext, actor: SignedIn, *, name: str) -> None:
    """Open a closed account again; its old sessions stay ended."""
    with context.store.write() as session:
        authorize(context, session, actor, "manage_accounts")
        user = _find_user(session, name)
        _refuse_own_account(actor, user)
        if user.is_active:
            return
        user.is_active, user.n_failures, user.locked_until = True, 0, None
        _note(session, context, actor, "user_reactivated", user.name)


def unlock_user(context: ReviewContext, actor: SignedIn, *, name: str) -> None:
    """End the rest an account takes after too many wrong passwords."""
    with context.store.write() as session:
        authorize(context, session, actor, "manage_accounts")
        user = _find_user(session, name)
        user.n_failures, user.locked_until = 0, None
        _note(session, context, actor, "user_unlocked", user.name)


def is_generated_account(context: ReviewContext, actor: SignedIn, name: str) -> bool | None:
    """Tell whether the demonstration made an account; ``None`` if there is no such account."""
    with context.store.read() as session:
        authorize(context, session, actor, "manage_accounts")
        user = session.get(User, name)
        return None if user is None else user.is_generated


def hash_new_password(user_name: str, password: str) -> str:
    """Hash a password that may be used.

    Raises
    ------
    ConfigError
        If it is too short, too long, or one of those guessed first.
    """
    password_hash = hash_password(password)
    validate_password(password, user_name)
    return password_hash


def _require_one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        message = f"a {what} is one of {', '.join(allowed)}, found {value!r}"
        raise ConfigError(message)


def _find_user(session: Session, name: str) -> User:
    user = session.get(User, normalize_name(name))
    if user is None:
        message = f"there is no account {name!r}; add it with add-user"
        raise ConfigError(message)
    return user


def _refuse_own_account(actor: SignedIn, user: User) -> None:
    if actor.user_name == user.name:
        message = "nobody changes the role or standing of their own account; ask another administrator"
        raise NotAllowedError(message)


def _require_another_admin(session: Session, user: User) -> None:
    others = select(func.count()).where(User.role == "admin", User.is_active.is_(True), User.name != user.name)
    if not session.scalar(others):
        message = f"{user.name!r} is the last active administrator; make another one first"
        raise NotAllowedError(message)


def clear_desk(session: Session, user_name: str) -> None:
    """Give back the post on someone's desk; part of the caller's transaction."""
    session.execute(
        update(QueueItem).where(QueueItem.leased_by == user_name).values(leased_by=None, lease_expires_at=None)
    )


def _note(
    session: Session,
    context: ReviewContext,
    actor: SignedIn,
    kind: str,
    user_name: str,
    payload: dict[str, str] | None = None,
) -> None:
    append_event(
        session,
        at=context.clock(),
        actor=actor.user_name,
        kind=kind,
        payload={"user": user_name, **(payload or {})},
    )


def _to_account(user: User, last_seen: str | None, now: str) -> Account:
    return Account(
        name=user.name,
        role=user.role,
        provider=user.provider,
        is_active=user.is_active,
        is_locked=user.locked_until is not None and user.locked_until > now,
        must_change_password=user.must_change_password,
        created_at=datetime.fromisoformat(user.created_at),
        last_seen_at=datetime.fromisoformat(last_seen) if last_seen else None,
    )
