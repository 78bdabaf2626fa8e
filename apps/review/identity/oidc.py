"""People an OpenID Connect provider vouches for: only those whom an administrator added before."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.local import UNKNOWN_NAME, normalize_name
from apps.review.identity.passwords import compute_password_tag
from apps.review.identity.records import SignedIn, SignInRequest, to_role
from apps.review.identity.settings import OidcSettings
from apps.review.store.database import Store
from apps.review.store.events import append_event, to_canonical_json, to_timestamp
from apps.review.store.models import Event, User

MAX_TOKEN_AGE = timedelta(minutes=5)  # a token is looked at seconds after it was made; an older one is a replay
MAX_CLOCK_SKEW = timedelta(minutes=2)


class OidcAccounts:
    """The provider for claims of an ID token whose signature was checked already."""

    name = "oidc"

    def __init__(self, store: Store, settings: OidcSettings) -> None:
        self._store = store
        self._settings = settings

    def identify(self, request: SignInRequest, now: datetime) -> SignedIn | None:
        """Match the claims with an account; every refusal is an event that says why, and names nobody.

        The account is the one bound to this subject, else the one with this verified e-mail address, which is bound to
        the subject now: the address may pass to another person later, the subject does not.
        """
        claims = request.claims
        problem = self._find_problem(claims, now)
        with self._store.write() as session:
            user = None if problem else _find_user(session, claims)
            token = _compute_token_digest(claims) if user is not None else ""
            if user is not None and _was_used(session, user.name, token, now):
                user, problem = None, "used before"
            if user is None:
                payload = {"provider": self.name, "reason": problem or "not registered"}
                append_event(session, at=now, actor=UNKNOWN_NAME, kind="sign_in_failed", payload=payload)
                return None
            user.subject = _name_subject(claims)
            payload = {"provider": self.name, "token": token}
            append_event(session, at=now, actor=user.name, kind="sign_in", payload=payload)
            return SignedIn(
                user_name=user.name,
                role=to_role(user.role),
                provider=self.name,
                signed_in_at=now,
                last_seen_at=now,
                password_tag=compute_password_tag(None),
            )

    def _find_problem(self, claims: Mapping[str, object], now: datetime) -> str | None:
        """Check what the framework checked before, and what it leaves to us: the token's age and a verified address."""
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if not any(hmac.compare_digest(str(one).encode(), self._settings.client_id.encode()) for one in audiences):
            return "made for another client"
        if not claims.get("sub") or not claims.get("iss"):
            return "names nobody"
        made, ends = _to_moment(claims.get("iat")), _to_moment(claims.get("exp"))
        if made is None or ends is None or ends <= now - MAX_CLOCK_SKEW:
            return "expired"
        if not now - MAX_TOKEN_AGE <= made <= now + MAX_CLOCK_SKEW:
            return "not fresh"
        return None


def _find_user(session: Session, claims: Mapping[str, object]) -> User | None:
    subject = _name_subject(claims)
    known = select(User).where(User.provider == OidcAccounts.name, User.is_active.is_(True))
    user = session.scalar(known.where(User.subject.in_([subject, str(claims["sub"])])))
    if user is not None or claims.get("email_verified") is not True:
        return user
    written = str(claims.get("email") or "")
    if not written.isascii():  # letters of other alphabets become plain ones in lower case: another person's address
        return None
    email = normalize_name(written)
    return session.scalar(known.where(User.name == email, User.subject.is_(None)))


def _compute_token_digest(claims: Mapping[str, object]) -> str:
    """Name one ID token, whatever the cookie looks like that brings it: a signed cookie can be written in many ways."""
    what = [str(claims.get(name)) for name in ("iss", "sub", "iat", "exp", "nonce", "jti")]
    return hashlib.sha256(to_canonical_json(what).encode()).hexdigest()[:32]


def _was_used(session: Session, user_name: str, token: str, now: datetime) -> bool:
    since = to_timestamp(now - MAX_TOKEN_AGE - MAX_CLOCK_SKEW)  # older tokens are not fresh
    used = select(Event.seq).where(Event.actor == user_name, Event.at >= since, Event.kind == "sign_in")
    return session.scalar(used.where(Event.payload.contains(token, autoescape=True)).limit(1)) is not None


def _name_subject(claims: Mapping[str, object]) -> str:
    return f"{claims['iss']}#{claims['sub']}"


def _to_moment(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
