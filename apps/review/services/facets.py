"""What the queue can be filtered by, with how many posts wait behind each choice."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted
from apps.review.services.context import ReviewContext
from apps.review.store.models import Event, QueueItem
from screening.types import Record

LENGTH_BOUNDS = (0, 280, 1_000, 3_000)  # characters: a short message, a paragraph, a page
MAX_COMMUNITIES = 50


class ImportFacet(Record):
    """One import."""

    seq: int
    at: datetime
    n_waiting: int


class CommunityFacet(Record):
    """One community."""

    community: str
    n_waiting: int


class LengthFacet(Record):
    """Posts of ``min_characters`` to ``max_characters``, both inclusive; ``None``: no upper end."""

    min_characters: int
    max_characters: int | None
    n_waiting: int


class Facets(Record):
    """The choices; the newest imports and the largest communities first.

    Where the audit slice is hidden ``n_audit`` is ``None``, and there are no imports: one may hold nothing but a slice.
    """

    imports: tuple[ImportFacet, ...]
    communities: tuple[CommunityFacet, ...]
    lengths: tuple[LengthFacet, ...]
    n_audit: int | None


def load_facets(context: ReviewContext, actor: SignedIn) -> Facets:
    """Count waiting posts per import, community (the largest 50) and length; the same few queries at any size."""
    with context.store.read() as session:
        role = authorize(context, session, actor, "judge")
        sees_audit = not context.settings.is_blind or is_permitted(role, "see_dashboard")
        audit = select(func.count()).select_from(QueueItem).where(QueueItem.is_audit)
        return Facets(
            imports=_load_imports(session) if sees_audit else (),
            communities=_load_communities(session),
            lengths=_load_lengths(session),
            n_audit=session.scalar(audit) or 0 if sees_audit else None,
        )


def _load_imports(session: Session) -> tuple[ImportFacet, ...]:
    waiting = (
        select(QueueItem.import_seq, func.count())
        .where(QueueItem.import_seq.is_not(None))
        .group_by(QueueItem.import_seq)
        .subquery()
    )
    seq, n_waiting = waiting.c
    query = select(Event.seq, Event.at, n_waiting).join(waiting, Event.seq == seq).order_by(Event.seq.desc())
    return tuple(
        ImportFacet(seq=number, at=datetime.fromisoformat(at), n_waiting=n) for number, at, n in session.execute(query)
    )


def _load_communities(session: Session) -> tuple[CommunityFacet, ...]:
    query = (
        select(QueueItem.community, func.count())
        .where(QueueItem.community.is_not(None))
        .group_by(QueueItem.community)
        .order_by(func.count().desc(), QueueItem.community)
        .limit(MAX_COMMUNITIES)
    )
    return tuple(CommunityFacet(community=name, n_waiting=n) for name, n in session.execute(query))


def _load_lengths(session: Session) -> tuple[LengthFacet, ...]:
    """Count each band by itself: an index answers a band, and nothing else is read."""
    upper = [*(bound - 1 for bound in LENGTH_BOUNDS[1:]), None]
    return tuple(
        LengthFacet(min_characters=low, max_characters=high, n_waiting=_count_band(session, low, high))
        for low, high in zip(LENGTH_BOUNDS, upper, strict=True)
    )


def _count_band(session: Session, low: int, high: int | None) -> int:
    is_in_band = QueueItem.n_characters >= low
    if high is not None:
        is_in_band &= QueueItem.n_characters <= high
    return session.scalar(select(func.count()).select_from(QueueItem).where(is_in_band)) or 0
