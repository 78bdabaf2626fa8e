"""The queue: what waits, in which order, and who holds what."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import LeaseLostError
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Post, QueueItem
from screening.types import Record


class QueueRow(Record):
    """One waiting post; ``triage`` and ``risk`` are ``None`` while first judgements are blind."""

    post_id: str
    priority: float
    imported_at: datetime
    created_at: datetime | None
    triage: str | None
    risk: float | None
    is_held_by_other: bool
    is_held_by_me: bool


class QueueCounts(Record):
    """How many posts wait, by triage level, and how many of them are on someone's desk."""

    n_waiting: int
    n_by_triage: dict[str, int]
    n_held: int


def claim_next(context: ReviewContext, actor: SignedIn) -> str | None:
    """Lease the most urgent free post to the actor; the post already on their desk comes first.

    Returns
    -------
    str or None
        Post id, or ``None`` if nothing is free.
    """
    with context.store.write() as session:
        authorize(context, session, actor, "judge")
        now = context.clock()
        held = find_lease(session, actor.user_name, now)
        if held is not None:
            _extend(session, held, context, now)
            return held
        most_urgent = (
            select(QueueItem.post_id)
            .where(_is_free(now))
            .order_by(QueueItem.priority, QueueItem.post_id)
            .limit(1)
            .scalar_subquery()
        )
        return _lease(session, context, actor, now, most_urgent)


def claim_post(context: ReviewContext, actor: SignedIn, post_id: str) -> str:
    """Lease one chosen post; whatever else was on the actor's desk goes back.

    Raises
    ------
    LeaseLostError
        If another reviewer holds it, or it no longer waits.
    """
    with context.store.write() as session:
        authorize(context, session, actor, "judge")
        now = context.clock()
        release_all(session, actor.user_name, except_post=post_id)
        if find_lease(session, actor.user_name, now) == post_id:
            return post_id
        claimed = _lease(session, context, actor, now, post_id)
        if claimed is None:
            message = "this post is on another reviewer's desk or no longer waits; open the next one"
            raise LeaseLostError(message)
        return claimed


def release(context: ReviewContext, actor: SignedIn) -> None:
    """Put the post on the actor's desk back into the queue."""
    with context.store.write() as session:
        authorize(context, session, actor, "judge")
        release_all(session, actor.user_name)


def load_queue(
    context: ReviewContext, actor: SignedIn, *, after: tuple[float, str] | None = None, limit: int = 10
) -> Sequence[QueueRow]:
    """One page of the queue, most urgent first.

    Parameters
    ----------
    after : (priority, post_id) or None
        Key of the last row of the page before; pages are found by key, so the hundredth costs what the first does.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "judge")
        now = to_timestamp(context.clock())
        query = select(QueueItem, Post).join(Post, Post.post_id == QueueItem.post_id)
        if after is not None:
            query = query.where(tuple_(QueueItem.priority, QueueItem.post_id) > tuple_(*after))
        rows = session.execute(query.order_by(QueueItem.priority, QueueItem.post_id).limit(limit)).all()
        return [_to_row(item, post, actor, now, context.settings.is_blind) for item, post in rows]


def count_queue(context: ReviewContext, actor: SignedIn) -> QueueCounts:
    """Count what waits."""
    with context.store.read() as session:
        authorize(context, session, actor, "judge")
        now = to_timestamp(context.clock())
        counts = session.execute(select(QueueItem.triage, func.count()).group_by(QueueItem.triage)).all()
        is_held = QueueItem.leased_by.is_not(None) & (QueueItem.lease_expires_at > now)
        n_held = session.scalar(select(func.count()).select_from(QueueItem).where(is_held)) or 0
        by_triage = dict(counts)
        return QueueCounts(n_waiting=sum(by_triage.values()), n_by_triage=by_triage, n_held=n_held)


def find_lease(session: Session, user_name: str, now: datetime) -> str | None:
    """Find the post on someone's desk whose lease still runs."""
    return session.scalar(
        select(QueueItem.post_id)
        .where(QueueItem.leased_by == user_name, QueueItem.lease_expires_at > to_timestamp(now))
        .order_by(QueueItem.lease_expires_at.desc())
        .limit(1)
    )


def release_all(session: Session, user_name: str, except_post: str = "") -> None:
    """Give back every post someone holds, but one."""
    session.execute(
        update(QueueItem)
        .where(QueueItem.leased_by == user_name, QueueItem.post_id != except_post)
        .values(leased_by=None, lease_expires_at=None)
    )


def _is_free(now: datetime):  # type: ignore[no-untyped-def]  # SQLAlchemy's own expression types
    return or_(QueueItem.leased_by.is_(None), QueueItem.lease_expires_at <= to_timestamp(now))


def _lease(session: Session, context: ReviewContext, actor: SignedIn, now: datetime, post_id: object) -> str | None:
    expires_at = to_timestamp(now + context.settings.lease_duration)
    claimed = session.scalar(
        update(QueueItem)
        .where(QueueItem.post_id == post_id, _is_free(now))
        .values(leased_by=actor.user_name, lease_expires_at=expires_at)
        .returning(QueueItem.post_id)
    )
    if claimed is not None:
        append_event(session, at=now, actor=actor.user_name, kind="opened", post_id=claimed)
    return claimed


def _extend(session: Session, post_id: str, context: ReviewContext, now: datetime) -> None:
    expires_at = to_timestamp(now + context.settings.lease_duration)
    session.execute(update(QueueItem).where(QueueItem.post_id == post_id).values(lease_expires_at=expires_at))


def _to_row(item: QueueItem, post: Post, actor: SignedIn, now: str, is_blind: bool) -> QueueRow:
    is_held = item.leased_by is not None and (item.lease_expires_at or "") > now
    return QueueRow(
        post_id=post.post_id,
        priority=item.priority,
        imported_at=datetime.fromisoformat(post.imported_at),
        created_at=datetime.fromisoformat(post.created_at) if post.created_at else None,
        triage=None if is_blind else post.triage,
        risk=None if is_blind else post.risk,
        is_held_by_other=is_held and item.leased_by != actor.user_name,
        is_held_by_me=is_held and item.leased_by == actor.user_name,
    )
