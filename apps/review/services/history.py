"""What was decided, by whom and when, newest first."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted, load_role
from apps.review.services.context import ReviewContext
from apps.review.services.decisions import JUDGEMENT_KINDS
from apps.review.services.escalations import TAKEN_OVER
from apps.review.services.stages import load_state
from apps.review.store.models import Event, Note, QueueItem
from screening.types import Record


class HistoryRow(Record):
    """One judgement, one undo, or that an escalated post was taken over.

    ``is_standing`` tells whether it is what counts now of this person's reading, or was not taken back.
    ``is_hidden``: someone else's judgement of a post that still waits for its second reader; decision, reasons and note
    are kept back from people who may be that reader.
    """

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
    read: int = 1
    reasons: tuple[str, ...] = ()
    is_hidden: bool = False


def load_history(
    context: ReviewContext, actor: SignedIn, *, post_id: str | None = None, before: int | None = None, limit: int = 20
) -> Sequence[HistoryRow]:
    """One page of judgements, undos, and what leads took over: a reviewer's own, or everyone's for leads and auditors.

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
        query = query.where(Event.kind.in_((*JUDGEMENT_KINDS, "undo", TAKEN_OVER)))
        if not sees_all:
            query = query.where(Event.actor == actor.user_name)
        if post_id is not None:
            query = query.where(Event.post_id == post_id)
        if before is not None:
            query = query.where(Event.seq < before)
        rows = [(event, note) for event, note in session.execute(query.order_by(Event.seq.desc()).limit(limit))]
        undone = set(session.scalars(select(Event.undoes).where(Event.undoes.in_([event.seq for event, _ in rows]))))
        ids = {event.post_id for event, _ in rows if event.post_id is not None}
        standing = {own.seq for some_id in ids for own in load_state(session, some_id).latest.values()}
        waiting = _find_waiting_for_second(session, ids) if is_permitted(role, "judge") else set()
        return [
            _to_row(
                event,
                note if role != "auditor" else None,
                is_undone=event.seq in undone,
                is_standing=event.seq in standing or (event.kind == TAKEN_OVER and event.seq not in undone),
                is_hidden=event.post_id in waiting and event.actor != actor.user_name,
            )
            for event, note in rows
        ]


def _find_waiting_for_second(session: Session, ids: set[str]) -> set[str]:
    query = select(QueueItem.post_id).where(QueueItem.post_id.in_(ids), QueueItem.stage == "second")
    return set(session.scalars(query))


def _to_row(event: Event, note: str | None, *, is_undone: bool, is_standing: bool, is_hidden: bool) -> HistoryRow:
    payload = json.loads(event.payload)
    return HistoryRow(
        seq=event.seq,
        at=datetime.fromisoformat(event.at),
        actor=event.actor,
        kind=event.kind,
        post_id=event.post_id or "",
        decision=None if is_hidden else event.decision,
        undoes=event.undoes,
        note=None if is_hidden else note,
        is_undone=is_undone,
        is_standing=is_standing,
        read=payload.get("read", 1),
        reasons=() if is_hidden else tuple(payload.get("reasons", ())),
        is_hidden=is_hidden,
    )
