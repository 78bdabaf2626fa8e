"""What the queue can be filtered by, with how many posts wait behind each choice."""

from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted
from apps.review.services.context import ReviewContext
from apps.review.store.models import QueueItem
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
    """The choices; the newest imports and the largest communities first. ``n_audit`` is ``None`` where hidden."""

    imports: tuple[ImportFacet, ...]
    communities: tuple[CommunityFacet, ...]
    lengths: tuple[LengthFacet, ...]
    n_audit: int | None


def load_facets(context: ReviewContext, actor: SignedIn) -> Facets:
    """Count waiting posts per import, community (the largest 50) and length; the same four queries at any size."""
    with context.store.read() as session:
        role = authorize(context, session, actor, "judge")
        sees_audit = not context.settings.is_blind or is_permitted(role, "see_dashboard")
        audit = select(func.count()).select_from(QueueItem).where(QueueItem.is_audit)
        return Facets(
            imports=_load_imports(session),
            communities=_load_communities(session),
            lengths=_load_lengths(session),
            n_audit=session.scalar(audit) or 0 if sees_audit else None,
        )


def _load_imports(session: Session) -> tuple[ImportFacet, ...]:
    query = (
        select(QueueItem.import_seq, func.max(QueueItem.imported_at), func.count())
        .where(QueueItem.import_seq.is_not(None))
        .group_by(QueueItem.import_seq)
        .order_by(QueueItem.import_seq.desc())
    )
    rows = session.execute(query)
    return tuple(
        ImportFacet(seq=seq, at=datetime.fromisoformat(at), n_waiting=n) for seq, at, n in rows if at is not None
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
    upper = [*(bound - 1 for bound in LENGTH_BOUNDS[1:]), None]
    n_shorter = [func.count(case((QueueItem.n_characters < bound, 1))) for bound in LENGTH_BOUNDS[1:]]
    *shorter, n_all = session.execute(select(*n_shorter, func.count(QueueItem.n_characters))).one()
    ends = [0, *shorter, n_all]
    return tuple(
        LengthFacet(min_characters=low, max_characters=high, n_waiting=ends[i + 1] - ends[i])
        for i, (low, high) in enumerate(zip(LENGTH_BOUNDS, upper, strict=True))
    )
