"""What was decided, by whom and when, newest first."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted, load_role
from apps.review.services.context import ReviewContext
from apps.review.services.judging import JUDGEMENT_KINDS
from apps.review.store.models import Event, Note
from screening.types import Record


class HistoryRow(Record):
    """One judgement or undo; ``is_standing`` tells whether it is what counts now."""

    seq: int
    at: datetime
    actor: str
    kind: str
    post_id: str
    decision: str | None
    undoes: int | None
    note: str | None
    is_undone: bool
    is_standing: bool


def load_history(
    context: ReviewContext, actor: SignedIn, *, post_id: str | None = None, before: int | None = None, limit: int = 20
) -> Sequence[HistoryRow]:
    """One page of judgements and undos: a reviewer's own, or everyone's for leads and auditors.

    Parameters
    ----------
    post_id : str or None
        Only this post.
    before : int or None
        Number of the last event of the page before.
    """
    with context.store.read() as session:
        role = load_role(context, session, actor)
        sees_all = is_permitted(role, "see_all_history")
        if not sees_all:
            authorize(context, session, actor, "see_own_history")
        query = select(Event, Note.text).outerjoin(Note, Note.event_seq == Event.seq)
        query = query.where(Event.kind.in_((*JUDGEMENT_KINDS, "undo")))
        if not sees_all:
            query = query.where(Event.actor == actor.user_name)
        if post_id is not None:
            query = query.where(Event.post_id == post_id)
        if before is not None:
            query = query.where(Event.seq < before)
        rows = session.execute(query.order_by(Event.seq.desc()).limit(limit)).all()
        ids = [event.post_id for event, _ in rows if event.post_id is not None]
        undone = set(session.scalars(select(Event.undoes).where(Event.undoes.in_([event.seq for event, _ in rows]))))
        undone_on_page = select(Event.undoes).where(Event.post_id.in_(ids), Event.undoes.is_not(None))
        standing = set(
            session.scalars(
                select(func.max(Event.seq))
                .where(Event.post_id.in_(ids), Event.kind.in_(JUDGEMENT_KINDS), Event.seq.not_in(undone_on_page))
                .group_by(Event.post_id)
            )
        )
        sees_notes = role != "auditor"
        return [
            HistoryRow(
                seq=event.seq,
                at=datetime.fromisoformat(event.at),
                actor=event.actor,
                kind=event.kind,
                post_id=event.post_id or "",
                decision=event.decision,
                undoes=event.undoes,
                note=note if sees_notes else None,
                is_undone=event.seq in undone,
                is_standing=event.seq in standing,
            )
            for event, note in rows
        ]
