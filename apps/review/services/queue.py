"""The queue: what waits, in which order, and how much of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, tuple_
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.filters import (
    NO_FILTERS,
    QueueFilters,
    list_claim_conditions,
    list_conditions,
    list_wishes,
    validate_filters,
)
from apps.review.services.outcomes import iterate_states
from apps.review.services.stages import StandingJudgement
from apps.review.store.events import to_timestamp
from apps.review.store.models import Post, QueueItem
from screening.types import Record


class QueueRow(Record):
    """One waiting post; ``triage`` and ``risk`` are ``None`` while first judgements are blind.

    ``waits_since`` is the import, and of a post that is to be settled the reading that disagreed.
    ``priority`` is the key of a page, not a fact to show: it would tell the level.
    """

    post_id: str
    priority: float
    waits_since: datetime
    created_at: datetime | None
    triage: str | None
    risk: float | None
    is_held_by_other: bool
    is_held_by_me: bool
    community: str | None = None
    n_characters: int | None = None


class QueueCounts(Record):
    """How many posts wait for this person, by triage level, and how many of them are on someone's desk.

    ``n_for_others`` wait for a second reader and were read by this person. ``n_adjudication`` wait to be settled by
    this lead, ``n_adjudication_for_others`` by another one, since this one has read them (0 for other roles).
    """

    n_waiting: int
    n_by_triage: dict[str, int]
    n_held: int
    n_for_others: int = 0
    n_adjudication: int = 0
    n_adjudication_for_others: int = 0


def load_queue(
    context: ReviewContext,
    actor: SignedIn,
    *,
    filters: QueueFilters | None = None,
    after: tuple[float, str] | None = None,
    limit: int = 10,
) -> Sequence[QueueRow]:
    """One page of the queue, most urgent first.

    Parameters
    ----------
    filters : QueueFilters or None
        Only these posts.
    after : (priority, post_id) or None
        Key of the last row of the page before; pages are found by key, so the hundredth costs what the first does.

    Raises
    ------
    NotAllowedError
        If a filter tells what is hidden.
    """
    wanted = filters or NO_FILTERS
    with context.store.read() as session:
        role = authorize(context, session, actor, "judge")
        validate_filters(wanted, role, is_blind=context.settings.is_blind)
        now = context.clock()
        query = select(QueueItem, Post).join(Post, Post.post_id == QueueItem.post_id)
        query = query.where(*list_conditions(wanted, actor, now))
        if after is not None:
            query = query.where(tuple_(QueueItem.priority, QueueItem.post_id) > tuple_(*after))
        rows = session.execute(query.order_by(QueueItem.priority, QueueItem.post_id).limit(limit)).all()
        disputed = [post.post_id for item, post in rows if item.stage == "adjudication"]
        states = iterate_states(session, only=disputed) if disputed else ()
        begun = {post_id: state.waits_since for post_id, state in states}
        return [
            _to_row(item, post, begun.get(post.post_id), actor, to_timestamp(now), context.settings.is_blind)
            for item, post in rows
        ]


def count_queue(context: ReviewContext, actor: SignedIn, filters: QueueFilters | None = None) -> QueueCounts:
    """Count what waits for this person, under the same filters as :func:`load_queue`.

    Raises
    ------
    NotAllowedError
        If a filter tells what is hidden.
    """
    wanted = filters or NO_FILTERS
    with context.store.read() as session:
        role = authorize(context, session, actor, "judge")
        validate_filters(wanted, role, is_blind=context.settings.is_blind)
        now = context.clock()
        wishes, is_mine = list_wishes(wanted, now), and_(*list_claim_conditions(actor, wanted.stage))
        if wanted.stage == "adjudication":
            by_triage = _count_few(session, QueueItem.stage == "adjudication", is_mine, *wishes)
        else:
            # Nearly all posts wait for a first reading: count them all from an index, and take away the few that are
            # not for this person, which another index finds.
            by_triage = _count_all(session, *wishes)
            by_triage.subtract(_count_few(session, QueueItem.stage.in_(("second", "adjudication")), ~is_mine, *wishes))
        is_held = (QueueItem.leased_by > "") & (QueueItem.lease_expires_at > to_timestamp(now))
        is_second, is_claimable = QueueItem.stage == "second", and_(*list_claim_conditions(actor, "reading"))
        is_settling = and_(*list_claim_conditions(actor, "adjudication"))
        is_disputed = QueueItem.stage == "adjudication"
        is_lead = is_permitted(role, "adjudicate")
        return QueueCounts(
            n_waiting=sum(by_triage.values()),
            n_by_triage={level: n for level, n in by_triage.items() if n},
            n_held=_count_few(session, is_held, is_mine, *wishes).total(),
            n_for_others=_count_few(session, is_second, ~is_claimable).total(),
            n_adjudication=_count_few(session, is_settling).total() if is_lead else 0,
            n_adjudication_for_others=_count_few(session, is_disputed, ~is_settling).total() if is_lead else 0,
        )


def _count_all(session: Session, *conditions: ColumnElement[bool]) -> Counter[str]:
    """Count many posts per level, in order of an index where nothing is asked for."""
    # A level spelled as an expression keeps the database from walking the index of levels row by row under a filter.
    level = QueueItem.triage.concat("") if conditions else QueueItem.triage
    return Counter(dict(session.execute(select(level, func.count()).where(*conditions).group_by(level)).all()))


def _count_few(session: Session, *conditions: ColumnElement[bool]) -> Counter[str]:
    """Count the few posts an index finds per level, without grouping, which would make another index tempting."""
    return Counter(session.scalars(select(QueueItem.triage).where(*conditions)))


def _to_row(
    item: QueueItem, post: Post, begun: StandingJudgement | None, actor: SignedIn, now: str, is_blind: bool
) -> QueueRow:
    is_held = item.leased_by is not None and (item.lease_expires_at or "") > now
    return QueueRow(
        post_id=post.post_id,
        priority=item.priority,
        waits_since=datetime.fromisoformat(begun.clock_at if begun else post.imported_at),
        created_at=datetime.fromisoformat(post.created_at) if post.created_at else None,
        triage=None if is_blind else post.triage,
        risk=None if is_blind else post.risk,
        is_held_by_other=is_held and item.leased_by != actor.user_name,
        is_held_by_me=is_held and item.leased_by == actor.user_name,
        community=post.community,
        n_characters=post.n_characters,
    )
