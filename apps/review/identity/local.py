"""Local accounts: names, argon2 hashes and lockout in the review store."""

import re
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from apps.review.identity.passwords import (
    compute_password_tag,
    hash_password,
    is_password_right,
    needs_rehash,
    prepare_decoy,
)
from apps.review.identity.records import SignedIn, SignInRequest, to_role
from apps.review.store.database import Store
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Event, User
from screening.exceptions import ConfigError
from screening.types import Record

UNKNOWN_NAME = "(unknown name)"
_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


class LockoutPolicy(Record):
    """After ``max_failures`` wrong passwords in a row the account rests for ``duration``."""

    max_failures: int = 5
    duration: timedelta = timedelta(minutes=15)


class LocalAccounts:
    """The provider of accounts kept in the review store itself."""

    name = "local"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lockout = LockoutPolicy()
        prepare_decoy()

    def identify(self, request: SignInRequest, now: datetime) -> SignedIn | None:
        """Check name and password; every refusal looks and costs the same.

        The attempt is counted before the password is checked, so that many guesses at once do not slip past the
        lockout. A locked account refuses the right password too.
        """
        name = normalize_name(request.user_name)
        password_hash = self._count_attempt(name, now)
        password = request.password.get_secret_value() if request.password else ""
        is_right = is_password_right(password, password_hash)
        return self._conclude(name, password_hash, password if is_right else None, now)

    def _count_attempt(self, name: str, now: datetime) -> str | None:
        """Count the attempt; return the hash to check against, or ``None`` where no password may open the account."""
        with self._store.write() as session:
            user = session.get(User, name)
            if user is None or user.provider != self.name or not user.is_active or _is_locked(user, now):
                _write_nothing(session)
                return None
            if user.locked_until is not None:  # the lock is over
                user.locked_until, user.n_failures = None, 0
            user.n_failures += 1
            # More guesses at once than allowed: those beyond are refused before their passwords are looked at.
            return user.password_hash if user.n_failures <= self._lockout.max_failures else None

    def _conclude(self, name: str, password_hash: str | None, password: str | None, now: datetime) -> SignedIn | None:
        with self._store.write() as session:
            user = session.get(User, name)
            if user is not None and _was_used(session, user):
                password = None
            if user is None or password is None or password_hash is None or user.password_hash != password_hash:
                append_event(session, at=now, actor=name if user else UNKNOWN_NAME, kind="sign_in_failed")
                if user is not None and user.n_failures >= self._lockout.max_failures and not _is_locked(user, now):
                    user.locked_until = to_timestamp(now + self._lockout.duration)
                    append_event(session, at=now, actor=name, kind="account_locked")
                return None
            user.n_failures, user.locked_until = 0, None
            if needs_rehash(password_hash):
                user.password_hash = hash_password(password)
            payload = {"provider": self.name, **({"one_time": _tag(user)} if user.must_change_password else {})}
            append_event(session, at=now, actor=name, kind="sign_in", payload=payload)
            return SignedIn(
                user_name=name,
                role=to_role(user.role),
                provider=self.name,
                signed_in_at=now,
                last_seen_at=now,
                password_tag=compute_password_tag(user.password_hash),
                must_change_password=user.must_change_password,
            )


def normalize_name(user_name: str) -> str:
    """Names are compared without case and without spaces around them."""
    return user_name.strip().lower()


def validate_name(user_name: str) -> str:
    """Return the normalized name.

    Raises
    ------
    ConfigError
        If it is empty, longer than 64 characters, or holds others than ``a-z 0-9 . _ @ + -``.
    """
    name = normalize_name(user_name)
    if not _NAME_PATTERN.fullmatch(name):
        message = "a user name needs 1 to 64 characters of a-z 0-9 . _ @ + - and starts with a letter or digit"
        raise ConfigError(message)
    return name


def _write_nothing(session: Session) -> None:
    """Write a row as it is, so that refusing costs the disk what counting an attempt costs."""
    first_name = select(User.name).order_by(User.name).limit(1).scalar_subquery()
    session.execute(update(User).where(User.name == first_name).values(n_failures=User.n_failures))


def _was_used(session: Session, user: User) -> bool:
    """Tell whether somebody signed in with this one-time password before: whoever comes second must notice."""
    if not user.must_change_password:
        return False
    used = select(Event.seq).where(Event.actor == user.name, Event.kind == "sign_in")
    return session.scalar(used.where(Event.payload.contains(_tag(user), autoescape=True)).limit(1)) is not None


def _tag(user: User) -> str:
    return compute_password_tag(user.password_hash)


def _is_locked(user: User, now: datetime) -> bool:
    return user.locked_until is not None and user.locked_until > to_timestamp(now)
