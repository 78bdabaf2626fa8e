"""The append-only, hash-chained log of everything that happened."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.store.models import Event

HASHED_FIELDS = ("seq", "at", "actor", "kind", "post_id", "decision", "undoes", "payload")


def to_canonical_json(value: object) -> str:
    """Write JSON one way only: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def compute_hash(event: Event) -> str:
    r"""SHA-256 over the hash before this event and the event's canonical JSON.

    Notes
    -----
    ``sha256(previous_hash + "\n" + canonical_json(fields))`` with the fields of ``HASHED_FIELDS``. A changed field,
    a removed event or a changed order breaks every hash after it. Removing the *last* events does not show in the
    chain itself: compare the head with one written down earlier.
    """
    fields = {name: getattr(event, name) for name in HASHED_FIELDS}
    return hashlib.sha256(f"{event.previous_hash}\n{to_canonical_json(fields)}".encode()).hexdigest()


def compute_text_digest(text: str, salt: str) -> str:
    """Salted SHA-256 of a text, so that a digest left behind after erasure cannot be guessed back."""
    return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()


def create_salt() -> str:
    """128 random bits; erased together with the text they belong to."""
    return secrets.token_hex(16)


def append_event(
    session: Session,
    *,
    at: datetime,
    actor: str,
    kind: str,
    post_id: str | None = None,
    decision: str | None = None,
    undoes: int | None = None,
    payload: Mapping[str, object] | None = None,
) -> Event:
    """Append one event to the chain; needs a writing session, whose commit makes it count.

    Notes
    -----
    Times never run backwards along the chain: where the clock stands before the last event (it was set back, or another
    server's clock runs ahead), the event takes the last event's time, and ``clock_at`` in its payload says what the
    clock said.
    """
    last = session.execute(select(Event.seq, Event.hash, Event.at).order_by(Event.seq.desc()).limit(1)).first()
    moment, details = to_timestamp(at), dict(payload or {})
    if last is not None and moment < last.at:
        moment, details["clock_at"] = last.at, moment
    event = Event(
        seq=last.seq + 1 if last else 1,
        at=moment,
        actor=actor,
        kind=kind,
        post_id=post_id,
        decision=decision,
        undoes=undoes,
        payload=to_canonical_json(details),
        previous_hash=last.hash if last else "",
    )
    event.hash = compute_hash(event)
    session.add(event)
    session.flush()
    return event


def to_timestamp(moment: datetime) -> str:
    """ISO 8601 with microseconds in UTC: text order is time order."""
    if moment.tzinfo is None:
        message = "a time in the review store must carry its zone, found one without; pass datetime.now(UTC)"
        raise ValueError(message)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
