"""Leases: which post lies on whose desk, and for how long."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.errors import LeaseLostError
from apps.review.services.filters import (
    NO_FILTERS,
    QueueFilters,
    list_claim_conditions,
    list_conditions,
    tells_level,
    validate_filters,
)
from apps.review.services.stages import is_by
from apps.review.services.workload import refuse_beyond_cap
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Event, QueueItem

_KNOWS_LEVEL = "knows_level"  # in the payload of an opening


def claim_next(context: ReviewContext, actor: SignedIn, filters: QueueFilters | None = None) -> str | None:
    """Lease the most urgent free post to the actor; the post already on their desk comes first.

    Parameters
    ----------
    filters : QueueFilters or None
        Only among these; a post already on the desk comes first all the same.

    Returns
    -------
    str or None
        Post id, or ``None`` if nothing is free.

    Raises
    ------
    DailyCapReachedError
        If the actor has judged as many posts today as the house allows.
    NotAllowedError
        If a filter tells what is hidden.
    """
    wanted = filters or NO_FILTERS
    with context.store.write(is_durable=False) as session:
        role = authorize(context, session, actor, "judge")
        validate_filters(wanted, role, is_blind=context.settings.is_blind)
        now = context.clock()
        held = find_lease(session, actor.user_name, now)
        if held is not None:
            _extend(session, actor.user_name, held, context, now)
            return held
        refuse_beyond_cap(session, context, actor)
        # SKIP LOCKED: on PostgreSQL a row another session holds (an open psql) is passed over, not waited for.
        most_urgent = session.scalar(
            select(QueueItem.post_id)
            .where(_is_free(now), *list_conditions(wanted, actor, now))
            .order_by(QueueItem.priority, QueueItem.post_id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return _lease(session, context, actor, now, most_urgent, wanted) if most_urgent is not None else None


def claim_post(context: ReviewContext, actor: SignedIn, post_id: str, filters: QueueFilters | None = None) -> str:
    """Lease one chosen post, for a first or second reading, or for settling it; the actor's other desk goes back.

    Parameters
    ----------
    filters : QueueFilters or None
        Under which the actor found it.

    Raises
    ------
    LeaseLostError
        If another reviewer holds it, it no longer waits, or the actor has read it already.
    DailyCapReachedError
        If the actor has judged as many posts today as the house allows.
    """
    wanted = filters or NO_FILTERS
    with context.store.write(is_durable=False) as session:
        role = authorize(context, session, actor, "judge")
        now = context.clock()
        release_all(session, actor.user_name, except_post=post_id)
        if find_lease(session, actor.user_name, now) == post_id:
            _extend(session, actor.user_name, post_id, context, now)
            if tells_level(wanted):
                _note_opening(session, actor, now, post_id, wanted)
            return post_id
        refuse_beyond_cap(session, context, actor)
        stages = ("reading", "adjudication") if is_permitted(role, "adjudicate") else ("reading",)
        is_mine = or_(*(and_(*list_claim_conditions(actor, stage)) for stage in stages))
        free = select(QueueItem.post_id).where(QueueItem.post_id == post_id, _is_free(now), is_mine)
        found = session.scalar(free.with_for_update(skip_locked=True))
        claimed = _lease(session, context, actor, now, found, wanted) if found is not None else None
        if claimed is None:
            message = "this post is on another reviewer's desk, no longer waits, or was read by you; open the next one"
            raise LeaseLostError(message)
        return claimed


def extend_lease(context: ReviewContext, actor: SignedIn, post_id: str) -> None:
    """Keep the post on the actor's desk for the whole time of a lease from now.

    Raises
    ------
    LeaseLostError
        If it is not on their desk any more.
    """
    with context.store.write(is_durable=False) as session:
        authorize(context, session, actor, "judge")
        if not _extend(session, actor.user_name, post_id, context, context.clock()):
            message = "this post is not on your desk any more; open it again from the list, or open the next one"
            raise LeaseLostError(message)


def release(context: ReviewContext, actor: SignedIn) -> None:
    """Put the post on the actor's desk back into the queue."""
    with context.store.write(is_durable=False) as session:
        authorize(context, session, actor, "judge")
        release_all(session, actor.user_name)


def find_lease(session: Session, user_name: str, now: datetime) -> str | None:
    """Find the post on someone's desk whose lease still runs."""
    return session.scalar(
        select(QueueItem.post_id)
        .where(QueueItem.leased_by == user_name, QueueItem.lease_expires_at > to_timestamp(now))
        .order_by(QueueItem.lease_expires_at.desc())
        .limit(1)
    )


def knows_level(session: Session, user_name: str, post_id: str) -> bool:
    """Tell whether someone ever opened a post under filters that say something of its scores."""
    is_told = Event.payload.contains(f'"{_KNOWS_LEVEL}":true', autoescape=True)
    query = select(Event.seq).where(Event.post_id == post_id, is_by(user_name), is_told)
    return session.scalar(query.limit(1)) is not None


def release_all(session: Session, user_name: str, except_post: str = "") -> None:
    """Give back every post someone holds, but one."""
    session.execute(
        update(QueueItem)
        .where(QueueItem.leased_by == user_name, QueueItem.post_id != except_post)
        .values(leased_by=None, lease_expires_at=None)
    )


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(QueueItem.leased_by.is_(None), QueueItem.lease_expires_at <= to_timestamp(now))


def _lease(
    session: Session, context: ReviewContext, actor: SignedIn, now: datetime, post_id: str, filters: QueueFilters
) -> str | None:
    expires_at = to_timestamp(now + context.settings.lease_duration)
    claimed = session.scalar(
        update(QueueItem)
        .where(QueueItem.post_id == post_id, _is_free(now))
        .values(leased_by=actor.user_name, lease_expires_at=expires_at)
        .returning(QueueItem.post_id)
    )
    if claimed is not None:
        _note_opening(session, actor, now, claimed, filters)
    return claimed


def _note_opening(session: Session, actor: SignedIn, now: datetime, post_id: str, filters: QueueFilters) -> None:
    payload = {_KNOWS_LEVEL: True} if tells_level(filters) else None
    append_event(session, at=now, actor=actor.user_name, kind="opened", post_id=post_id, payload=payload)


def _extend(session: Session, user_name: str, post_id: str, context: ReviewContext, now: datetime) -> bool:
    """Let someone's lease begin anew; tells whether it was theirs."""
    expires_at = to_timestamp(now + context.settings.lease_duration)
    held = QueueItem.post_id == post_id, QueueItem.leased_by == user_name
    return bool(
        session.scalar(update(QueueItem).where(*held).values(lease_expires_at=expires_at).returning(QueueItem.post_id))
    )
