"""Sessions the server keeps: the browser holds a random token, the store its digest, and both timeouts apply."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from apps.review.identity.passwords import compute_password_tag
from apps.review.identity.records import SignedIn, to_role
from apps.review.identity.stopwatch import THIS_PROCESS, Stopwatch
from apps.review.identity.timeouts import SessionPolicy
from apps.review.store.database import Store
from apps.review.store.events import to_timestamp
from apps.review.store.models import User, UserSession

KEPT_FOR = timedelta(days=31)  # longer than any cookie that could bring an ended session's token back
TOUCHED_EVERY = timedelta(seconds=30)  # activity is written down no more often than this


class Sessions:
    """The sessions of one store.

    Parameters
    ----------
    store : Store
    policy : SessionPolicy
    clock : callable
        Returns the present time, with its zone.
    stopwatch : Stopwatch
        Measures beside the clock, which may be set back.
    """

    def __init__(
        self,
        store: Store,
        policy: SessionPolicy,
        clock: Callable[[], datetime],
        stopwatch: Stopwatch = THIS_PROCESS,
    ) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._stopwatch = stopwatch

    def open(self, signed_in: SignedIn, token: str | None = None) -> tuple[SignedIn, str] | None:
        """Open a session for someone who just proved who they are.

        Parameters
        ----------
        token : str or None
            A secret the browser holds already; ``None`` makes a new one of 256 random bits.

        Returns
        -------
        (SignedIn, str) or None
            The person with the session's id, and the token for the browser. ``None`` if the token was used before.
        """
        token = token or secrets.token_urlsafe(32)
        session_id = hash_token(token)
        with self._store.write() as session:
            if session.get(UserSession, session_id) is not None:
                return None
            session.execute(delete(UserSession).where(UserSession.signed_in_at < self._timestamp(-KEPT_FOR)))
            session.add(
                UserSession(
                    token_hash=session_id,
                    user_name=signed_in.user_name,
                    provider=signed_in.provider,
                    password_tag=signed_in.password_tag,
                    signed_in_at=to_timestamp(signed_in.signed_in_at),
                    last_seen_at=to_timestamp(signed_in.last_seen_at),
                    ended_at=None,
                )
            )
        return signed_in.model_copy(update={"session_id": session_id}), token

    def find(self, token: str, provider: str) -> SignedIn | None:
        """Find whose session this is, if it runs still and was opened in the way the server signs people in now.

        A session found to be over is ended for good, so that a clock set back does not revive it.
        """
        with self._store.read() as session:
            signed_in = load_session(session, hash_token(token))
        if signed_in is None or signed_in.provider != provider:
            return None
        if self._is_expired(signed_in):
            self.end(signed_in.session_id)
            return None
        return signed_in

    def touch(self, signed_in: SignedIn) -> SignedIn | None:
        """Note activity of a session just found; ``None`` if it is over."""
        now = self._clock()
        touched = self._policy.touch(signed_in, now)
        if touched is not None:
            self._stopwatch.note(touched)
        if touched is None or not touched.session_id or now - signed_in.last_seen_at < TOUCHED_EVERY:
            return touched
        with self._store.write() as session:
            session.execute(
                update(UserSession)
                .where(UserSession.token_hash == touched.session_id, UserSession.last_seen_at < to_timestamp(now))
                .values(last_seen_at=to_timestamp(now))
            )
        return touched

    def is_known(self, token: str) -> bool:
        """Tell whether a session was ever opened with this token, and kept so far."""
        with self._store.read() as session:
            return session.get(UserSession, hash_token(token)) is not None

    def is_over(self, signed_in: SignedIn) -> bool:
        """Tell whether a session is over; activity in another window of it counts. Asking is no activity."""
        if signed_in.session_id:
            with self._store.read() as session:
                found = load_session(session, signed_in.session_id)
            if found is None:
                return True
            last_seen = max(found.last_seen_at, signed_in.last_seen_at)
            signed_in = signed_in.model_copy(update={"last_seen_at": last_seen})
        return self._is_expired(signed_in)

    def end(self, session_id: str) -> None:
        """End one session for good."""
        with self._store.write() as session:
            session.execute(
                update(UserSession)
                .where(UserSession.token_hash == session_id, UserSession.ended_at.is_(None))
                .values(ended_at=self._timestamp())
            )

    def _is_expired(self, signed_in: SignedIn) -> bool:
        now = self._clock()
        return self._policy.is_expired(signed_in, now) or (
            bool(signed_in.session_id) and self._stopwatch.is_over(signed_in, self._policy, now)
        )

    def _timestamp(self, shift: timedelta = timedelta(0)) -> str:
        return to_timestamp(self._clock() + shift)


def hash_token(token: str) -> str:
    """SHA-256 of a token: whoever reads the store cannot sign in with what stands there."""
    return hashlib.sha256(token.encode()).hexdigest()


def load_session(session: Session, session_id: str) -> SignedIn | None:
    """Load a session that nobody ended, of an open account with the same password as then; whatever its age."""
    row = session.get(UserSession, session_id)
    user = session.get(User, row.user_name) if row is not None else None
    if row is None or user is None or row.ended_at is not None or not user.is_active:
        return None
    if user.provider != row.provider or compute_password_tag(user.password_hash) != row.password_tag:
        return None
    return SignedIn(
        user_name=user.name,
        role=to_role(user.role),
        provider=row.provider,
        signed_in_at=datetime.fromisoformat(row.signed_in_at),
        last_seen_at=datetime.fromisoformat(row.last_seen_at),
        password_tag=row.password_tag,
        session_id=session_id,
        must_change_password=user.must_change_password,
    )


def end_sessions(session: Session, user_name: str, now: datetime) -> None:
    """End every session of an account; part of the caller's transaction."""
    session.execute(
        update(UserSession)
        .where(UserSession.user_name == user_name, UserSession.ended_at.is_(None))
        .values(ended_at=to_timestamp(now))
    )
