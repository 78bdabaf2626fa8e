"""Decisions: acknowledged when they are on disk, never changed, taken back only by a later event."""

from typing import Literal, get_args

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session, aliased

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.errors import AlreadyDecidedError, LeaseLostError, NotAllowedError
from apps.review.services.queue import release_all
from apps.review.store.events import append_event, compute_text_digest, create_salt, to_timestamp
from apps.review.store.models import Event, Note, Post, QueueItem
from screening.exceptions import ConfigError
from screening.types import Record

Decision = Literal["escalate", "needs_follow_up", "no_concern", "unsure"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
JUDGEMENT_KINDS = ("decision", "revision")
MAX_NOTE_CHARACTERS = 4_000


class Receipt(Record):
    """Proof that an event is on disk: its number and its hash."""

    seq: int
    hash: str


def record_decision(
    context: ReviewContext, actor: SignedIn, post_id: str, decision: str, note: str | None = None
) -> Receipt:
    """Decide on the post on the actor's desk; it leaves the queue.

    Returns
    -------
    Receipt
        Returned after the commit: from then on the decision survives a crash.

    Raises
    ------
    LeaseLostError
        If the lease ran out and another reviewer has the post.
    AlreadyDecidedError
        If the post no longer waits.
    """
    _validate(decision, note)
    with context.store.write() as session:
        authorize(context, session, actor, "judge")
        item = session.get(QueueItem, post_id)
        if item is None:
            message = "this post has a decision already; nothing was changed. Revise it from the history"
            raise AlreadyDecidedError(message)
        if item.leased_by != actor.user_name:
            message = "this post is on another reviewer's desk by now; nothing was saved. Open the next one"
            raise LeaseLostError(message)
        is_blind = context.settings.is_blind and not has_judged(session, actor.user_name, post_id)
        session.delete(item)
        return _append_judgement(session, context, actor, "decision", post_id, decision, note, {"is_blind": is_blind})


def revise_decision(
    context: ReviewContext, actor: SignedIn, post_id: str, decision: str, note: str | None = None
) -> Receipt:
    """Judge again after the scores were revealed; both judgements are kept, the later one stands.

    Raises
    ------
    NotAllowedError
        If the standing decision is not the actor's own.
    """
    _validate(decision, note)
    with context.store.write() as session:
        authorize(context, session, actor, "judge")
        standing = find_standing(session, post_id)
        if standing is None or standing.actor != actor.user_name:
            message = "only your own standing decision can be revised; this post has none of yours"
            raise NotAllowedError(message)
        return _append_judgement(
            session, context, actor, "revision", post_id, decision, note, {"revises": standing.seq}
        )


def undo_decision(context: ReviewContext, actor: SignedIn, seq: int) -> Receipt:
    """Take back the standing judgement of a post by a new event; without one left, the post waits again.

    A reviewer takes back their own and gets the post back on the desk; a lead takes back anyone's.

    Raises
    ------
    NotAllowedError
        If it is someone else's and the role does not reach that far.
    AlreadyDecidedError
        If it does not stand any more: taken back already, or revised since.
    """
    with context.store.write() as session:
        role = authorize(context, session, actor, "judge")
        target = session.get(Event, seq)
        if target is None or target.post_id is None or target.kind not in JUDGEMENT_KINDS:
            message = f"event {seq} is not a decision; pick one from the history"
            raise NotAllowedError(message)
        if target.actor != actor.user_name and not is_permitted(role, "undo_any"):
            message = "only your own decisions can be taken back; ask a lead"
            raise NotAllowedError(message)
        standing = find_standing(session, target.post_id)
        if standing is None or standing.seq != seq:
            message = "this decision does not stand any more (taken back or revised); nothing was changed"
            raise AlreadyDecidedError(message)
        event = append_event(
            session, at=context.clock(), actor=actor.user_name, kind="undo", post_id=target.post_id, undoes=seq
        )
        if find_standing(session, target.post_id) is None:
            _return_to_queue(session, context, actor, target.post_id, is_own=target.actor == actor.user_name)
        return Receipt(seq=event.seq, hash=event.hash)


def find_standing(session: Session, post_id: str) -> Event | None:
    """Find the last judgement of a post that no later event takes back."""
    later = aliased(Event)
    return session.scalar(
        select(Event)
        .where(Event.post_id == post_id, Event.kind.in_(JUDGEMENT_KINDS))
        .where(~exists().where(later.undoes == Event.seq))
        .order_by(Event.seq.desc())
        .limit(1)
    )


def has_judged(session: Session, user_name: str, post_id: str) -> bool:
    """Tell whether someone judged a post before, also if it was taken back: they have seen the scores."""
    own = select(Event.seq).where(Event.post_id == post_id, Event.actor == user_name, Event.kind.in_(JUDGEMENT_KINDS))
    return session.scalar(own.limit(1)) is not None


def _validate(decision: str, note: str | None) -> None:
    if decision not in DECISIONS:
        message = f"a decision is one of {', '.join(DECISIONS)}, found {decision!r}"
        raise ConfigError(message)
    if note is not None and len(note) > MAX_NOTE_CHARACTERS:
        message = f"a note has at most {MAX_NOTE_CHARACTERS} characters, found {len(note)}; nothing was saved"
        raise ConfigError(message)


def _append_judgement(
    session: Session,
    context: ReviewContext,
    actor: SignedIn,
    kind: str,
    post_id: str,
    decision: str,
    note: str | None,
    payload: dict[str, object],
) -> Receipt:
    salt = create_salt()
    text = (note or "").strip()
    if text:
        payload["note_digest"] = compute_text_digest(text, salt)
    event = append_event(
        session,
        at=context.clock(),
        actor=actor.user_name,
        kind=kind,
        post_id=post_id,
        decision=decision,
        payload=payload,
    )
    if text:
        session.add(Note(event_seq=event.seq, text=text, salt=salt))
    return Receipt(seq=event.seq, hash=event.hash)


def _return_to_queue(session: Session, context: ReviewContext, actor: SignedIn, post_id: str, *, is_own: bool) -> None:
    post = session.get_one(Post, post_id)
    item = QueueItem(post_id=post_id, priority=post.priority, triage=post.triage, leased_by=None, lease_expires_at=None)
    if is_own:
        release_all(session, actor.user_name)
        item.leased_by = actor.user_name
        item.lease_expires_at = to_timestamp(context.clock() + context.settings.lease_duration)
    session.execute(delete(QueueItem).where(QueueItem.post_id == post_id))
    session.add(item)
