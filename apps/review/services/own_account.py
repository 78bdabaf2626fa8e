"""What everyone does with their own account: choose a password, sign out."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from apps.review.identity.local import LockoutPolicy
from apps.review.identity.passwords import is_password_right
from apps.review.identity.records import SignedIn
from apps.review.identity.sessions import end_sessions, load_session
from apps.review.services.access import load_role
from apps.review.services.accounts import clear_desk, hash_new_password
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import User, UserSession
from screening.exceptions import ConfigError


def change_own_password(context: ReviewContext, actor: SignedIn, *, present: str, new: str) -> None:
    """Choose a new password; every session of the account ends, this one too.

    Raises
    ------
    NotAllowedError
        If the present password is wrong or the account has none; after five of these the sessions end as well.
    ConfigError
        If the new password is unusable, or the old one again.
    """
    with context.store.read() as session:
        load_role(context, session, actor, may_change_password=True)
        user = session.get(User, actor.user_name)
        present_hash = user.password_hash if user is not None else None
    if not is_password_right(present, present_hash):
        _count_wrong_password(context, actor)
        message = "the present password is not right; nothing was changed"
        raise NotAllowedError(message)
    if is_password_right(new, present_hash):
        message = "the new password is the present one; choose another"
        raise ConfigError(message)
    password_hash = hash_new_password(actor.user_name, new)
    with context.store.write() as session:
        load_role(context, session, actor, may_change_password=True)
        user = session.get_one(User, actor.user_name)
        user.password_hash, user.must_change_password, user.n_failures = password_hash, False, 0
        end_sessions(session, user.name, context.clock())
        _note(session, context, actor, "password_changed")


def sign_out(context: ReviewContext, actor: SignedIn) -> None:
    """End this session, give back the post on the desk unless another session of the account is open, and note it."""
    with context.store.write() as session:
        load_role(context, session, actor, may_change_password=True)
        session.execute(
            update(UserSession)
            .where(UserSession.token_hash == actor.session_id)
            .values(ended_at=to_timestamp(context.clock()))
        )
        if not _has_other_session(session, context, actor):
            clear_desk(session, actor.user_name)
        _note(session, context, actor, "sign_out")


def _has_other_session(session: Session, context: ReviewContext, actor: SignedIn) -> bool:
    others = select(UserSession.token_hash).where(
        UserSession.user_name == actor.user_name,
        UserSession.token_hash != actor.session_id,
        UserSession.ended_at.is_(None),
    )
    found = (load_session(session, token_hash) for token_hash in session.scalars(others))
    now = context.clock()
    return any(other is not None and not context.settings.session.is_expired(other, now) for other in found)


def _count_wrong_password(context: ReviewContext, actor: SignedIn) -> None:
    """Count it like a wrong password at the door: an unattended screen is no place to guess one."""
    with context.store.write() as session:
        load_role(context, session, actor, may_change_password=True)
        user = session.get(User, actor.user_name)
        if user is None:
            return
        user.n_failures += 1
        _note(session, context, actor, "sign_in_failed")
        if user.n_failures >= LockoutPolicy().max_failures:
            end_sessions(session, user.name, context.clock())


def _note(session: Session, context: ReviewContext, actor: SignedIn, kind: str) -> None:
    append_event(session, at=context.clock(), actor=actor.user_name, kind=kind)
