"""Escalated posts: which of them wait for a lead, and who has taken them over."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import AlreadyDecidedError, NotAllowedError
from apps.review.services.judging import Receipt
from apps.review.services.outcomes import iterate_states
from apps.review.services.stages import ADJUDICATION, PostState, find_escalation, is_standing, load_state
from apps.review.store.events import append_event
from apps.review.store.models import Event
from screening.types import Record

TAKEN_OVER = "taken_over"  # kind of event
_N_POSTS = 500  # posts in one query


class EscalatedPost(Record):
    """A post that waits for a lead since ``at``, when someone escalated it; ``reasons`` are what they say now."""

    post_id: str
    at: datetime
    actor: str
    reasons: tuple[str, ...]


class TakeOver(Record):
    """Who has taken a post over, and when; ``seq`` is the event that says so."""

    seq: int
    post_id: str
    at: datetime
    actor: str


def list_escalated(context: ReviewContext, actor: SignedIn) -> Sequence[EscalatedPost]:
    """List the escalated posts nobody has taken over, the one that waits longest first."""
    with context.store.read() as session:
        authorize(context, session, actor, "take_over")
        return load_waiting(session)


def list_taken_over(context: ReviewContext, actor: SignedIn, *, limit: int = 10) -> Sequence[TakeOver]:
    """List what the actor has taken over, newest first."""
    with context.store.read() as session:
        authorize(context, session, actor, "take_over")
        is_own = Event.kind == TAKEN_OVER, Event.actor == actor.user_name
        query = select(Event).where(*is_own, is_standing()).order_by(Event.seq.desc()).limit(limit)
        return [_to_take_over(event) for event in session.scalars(query)]


def count_escalated(context: ReviewContext, actor: SignedIn) -> int:
    """Count what :func:`list_escalated` lists."""
    with context.store.read() as session:
        authorize(context, session, actor, "take_over")
        return count_waiting(session)


def count_waiting(session: Session) -> int:
    """Count the escalated posts nobody has taken over, for callers who have asked for permission."""
    return len(load_waiting(session))


def take_over(context: ReviewContext, actor: SignedIn, post_id: str) -> Receipt:
    """Take an escalated post over: an event says who answers for it from now on.

    Raises
    ------
    NotAllowedError
        If the actor is no lead.
    AlreadyDecidedError
        If the post is not escalated any more, or somebody has taken it over.
    """
    with context.store.write() as session:
        authorize(context, session, actor, "take_over")
        state = load_state(session, post_id)
        since, answer = find_escalation(state), find_answer(state, find_take_over(session, post_id))
        if since is None or answer is not None:
            who = "it is not escalated" if answer is None else f"{answer.actor} has taken it over"
            message = f"this post does not wait for a lead any more: {who}; nothing was changed"
            raise AlreadyDecidedError(message)
        payload = {"escalated_by": since.seq}
        event = append_event(
            session, at=context.clock(), actor=actor.user_name, kind=TAKEN_OVER, post_id=post_id, payload=payload
        )
        return Receipt(seq=event.seq, hash=event.hash)


def undo_take_over(context: ReviewContext, actor: SignedIn, seq: int) -> Receipt:
    """Take back that somebody took a post over, by a new event; the post waits for a lead again.

    Raises
    ------
    NotAllowedError
        If the actor is no lead, or the event is not of this kind.
    AlreadyDecidedError
        If it was taken back before.
    """
    with context.store.write() as session:
        authorize(context, session, actor, "take_over")
        target = session.get(Event, seq)
        if target is None or target.post_id is None or target.kind != TAKEN_OVER:
            message = f"event {seq} does not say that a post was taken over; pick one from the history"
            raise NotAllowedError(message)
        if session.scalar(select(Event.seq).where(Event.undoes == seq)) is not None:
            message = "this was taken back before; nothing was changed"
            raise AlreadyDecidedError(message)
        event = append_event(
            session, at=context.clock(), actor=actor.user_name, kind="undo", post_id=target.post_id, undoes=seq
        )
        return Receipt(seq=event.seq, hash=event.hash)


def find_take_over(session: Session, post_id: str) -> TakeOver | None:
    """Find who has taken a post over last, if it was not taken back."""
    return load_take_overs(session, [post_id]).get(post_id)


def load_take_overs(session: Session, post_ids: Sequence[str]) -> Mapping[str, TakeOver]:
    """Load who has taken each of some posts over last."""
    # Spelled as in iterate_states: by the ids of the posts, not by the kind.
    is_take_over = func.coalesce(Event.kind, "") == TAKEN_OVER
    query = select(Event).where(Event.post_id.in_(post_ids), is_take_over, is_standing()).order_by(Event.seq)
    return {event.post_id or "": _to_take_over(event) for event in session.scalars(query)}


def find_answer(state: PostState, held: TakeOver | None) -> TakeOver | None:
    """Tell who has taken an escalation over; one that was made anew afterwards waits again."""
    since = find_escalation(state)
    return held if since is not None and held is not None and held.seq > since.seq else None


def load_waiting(session: Session) -> Sequence[EscalatedPost]:
    """Load the posts that wait for a lead, the one that waits longest first, for callers who have asked."""
    later = aliased(Event)
    # What its own reader revised, or a lead settled, says nothing any more: that later judgement does. Spelled so that
    # a database finds the post's few events, not all those of a person or a kind.
    is_revised = func.coalesce(later.actor, "") == Event.actor
    is_replaced = later.decision.is_not(None) & or_(is_revised, later.payload.like(f'%"read":{ADJUDICATION}%'))
    is_answered = exists().where(
        later.post_id == Event.post_id,
        later.seq > Event.seq,
        is_standing(later),
        or_(func.coalesce(later.kind, "") == TAKEN_OVER, is_replaced),
    )
    unanswered = select(Event.post_id).where(Event.decision == "escalate", is_standing(), ~is_answered)
    ids = [post_id for post_id in session.scalars(unanswered.distinct()) if post_id is not None]
    waiting: list[EscalatedPost] = []
    for start in range(0, len(ids), _N_POSTS):
        some = ids[start : start + _N_POSTS]
        held = load_take_overs(session, some)
        for post_id, state in iterate_states(session, only=some):
            if (post := find_unanswered(state, held.get(post_id))) is not None:
                waiting.append(post)
    return sorted(waiting, key=lambda post: (post.at, post.post_id))


def find_unanswered(state: PostState, held: TakeOver | None) -> EscalatedPost | None:
    """Tell since when a post waits for a lead, if it does.

    Who escalates it once more with other words does not make it wait anew, unless somebody had taken it over before.
    """
    said = find_escalation(state)
    if said is None or find_answer(state, held) is not None:
        return None
    began = state.began[said.read]
    since = said if held is not None and held.seq > began.seq else began
    at = datetime.fromisoformat(since.clock_at)
    return EscalatedPost(post_id=said.post_id, at=at, actor=said.actor, reasons=said.reasons)


def _to_take_over(event: Event) -> TakeOver:
    return TakeOver(seq=event.seq, post_id=event.post_id or "", at=datetime.fromisoformat(event.at), actor=event.actor)
