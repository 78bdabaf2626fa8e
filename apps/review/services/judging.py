"""Decisions: acknowledged when they are on disk, never changed, taken back only by a later event."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.records import Role, SignedIn
from apps.review.services.access import authorize, is_permitted
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.decisions import DECISIONS, JUDGEMENT_KINDS, Decision, validate_reasons
from apps.review.services.errors import AlreadyDecidedError, LeaseLostError, NotAllowedError, PostErasedError
from apps.review.services.leases import knows_level, release_all
from apps.review.services.stages import (
    ADJUDICATION,
    READ_OF_STAGE,
    PostState,
    StandingJudgement,
    derive_state,
    is_by,
    is_drawn_for_second_read,
    is_erased,
    load_judgements,
    load_readings,
    parse_judgement,
    refresh_queue_item,
)
from apps.review.store.events import append_event, compute_text_digest, create_salt, to_timestamp
from apps.review.store.models import Event, Note, QueueItem
from screening.exceptions import ConfigError
from screening.types import Record

__all__ = [
    "DECISIONS", "JUDGEMENT_KINDS", "MAX_NOTE_CHARACTERS", "Decision", "Receipt", "append_judgement", "has_judged",
    "record_decision", "revise_decision", "undo_decision",
]  # fmt: skip
MAX_NOTE_CHARACTERS = 4_000


class Receipt(Record):
    """Proof that an event is on disk: its number and its hash."""

    seq: int
    hash: str


def record_decision(
    context: ReviewContext,
    actor: SignedIn,
    post_id: str,
    decision: str,
    note: str | None = None,
    *,
    reasons: Sequence[str] = (),
) -> Receipt:
    """Decide on the post on the actor's desk: a first or second reading, or a lead's settling of two that disagree.

    Parameters
    ----------
    note : str or None
        Free words; kept apart from the decision, so that they can be erased.
    reasons : sequence of str
        Codes of the house for this decision.

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
    PostErasedError
        If its text was erased meanwhile.
    ConfigError
        If decision, reasons or note are not what the house knows; a lead who settles may not be unsure.
    """
    codes = _validate(context.settings, decision, note, reasons)
    with context.store.write() as session:
        role = authorize(context, session, actor, "judge")
        item = _find_on_desk(session, actor, post_id)
        read = READ_OF_STAGE[item.stage]
        if read == ADJUDICATION:
            _validate_settling(is_permitted(role, "adjudicate"), decision)
        standing, taken_back = load_readings(session, post_id)
        is_told = may_know_readings(role, actor.user_name, standing, taken_back)
        has_seen = read == ADJUDICATION or is_told or knows_level(session, actor.user_name, post_id)
        is_blind = context.settings.is_blind and not has_seen
        details = describe_judgement(context.settings, post_id, decision, read) | {"is_blind": is_blind}
        event = append_judgement(session, context, actor, ("decision", post_id, decision), note, details | codes)
        refresh_queue_item(session, post_id, derive_state([*standing, parse_judgement(event)]).stage)
        return Receipt(seq=event.seq, hash=event.hash)


def revise_decision(
    context: ReviewContext,
    actor: SignedIn,
    post_id: str,
    decision: str,
    note: str | None = None,
    *,
    reasons: Sequence[str] = (),
) -> Receipt:
    """Judge again after the scores were revealed; both judgements are kept, the later one stands.

    Raises
    ------
    NotAllowedError
        If the actor has no standing judgement of this post, or a lead has settled it.
    LeaseLostError
        If a lead is settling it right now.
    PostErasedError, ConfigError
        As :func:`record_decision`.
    """
    codes = _validate(context.settings, decision, note, reasons)
    with context.store.write() as session:
        role = authorize(context, session, actor, "judge")
        state = derive_state(load_judgements(session, post_id))
        own = find_own(state, actor.user_name)
        if own is None:
            message = "only your own standing decision can be revised; this post has none of yours"
            raise NotAllowedError(message)
        if ADJUDICATION in state.latest and own.read != ADJUDICATION:
            message = "a lead has settled this post; your judgement is kept as it is"
            raise NotAllowedError(message)
        if own.read == ADJUDICATION:
            _validate_settling(is_permitted(role, "adjudicate"), decision)
        _refuse_erased(session, post_id)
        _refuse_while_read(session, context, actor, post_id, stages=("adjudication",))
        details = describe_judgement(context.settings, post_id, decision, own.read) | {"revises": own.seq}
        event = append_judgement(session, context, actor, ("revision", post_id, decision), note, details | codes)
        refresh_queue_item(session, post_id)
        return Receipt(seq=event.seq, hash=event.hash)


def undo_decision(context: ReviewContext, actor: SignedIn, seq: int) -> Receipt:
    """Take back the last standing judgement of a post by a new event; the post waits again for what it then lacks.

    A reviewer takes back their own and gets the post back on the desk; a lead takes back anyone's.

    Raises
    ------
    NotAllowedError
        If it is someone else's and the role does not reach that far.
    AlreadyDecidedError
        If it does not stand any more, or a later judgement of the post does.
    LeaseLostError
        If another reviewer is reading the post right now.
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
        judgements = load_judgements(session, target.post_id)
        if not judgements or judgements[-1].seq != seq:
            message = (
                "this decision does not stand any more, or a later judgement of the post does (revised, taken back or "
                "read again); nothing was changed"
            )
            raise AlreadyDecidedError(message)
        _refuse_erased(session, target.post_id)
        _refuse_while_read(session, context, actor, target.post_id, stages=("first", "second", "adjudication"))
        event = append_event(
            session, at=context.clock(), actor=actor.user_name, kind="undo", post_id=target.post_id, undoes=seq
        )
        item = refresh_queue_item(session, target.post_id)
        if item is not None and target.kind == "decision" and target.actor == actor.user_name:
            _put_on_desk(session, context, actor, item)
        return Receipt(seq=event.seq, hash=event.hash)


def find_own(state: PostState, user_name: str) -> StandingJudgement | None:
    """Find someone's standing judgement of a post: each person has at most one reading."""
    return next((own for own in reversed(list(state.latest.values())) if own.actor == user_name), None)


def may_know_readings(
    role: Role, user_name: str, standing: Sequence[StandingJudgement], taken_back: Sequence[StandingJudgement]
) -> bool:
    """Tell whether someone has judged a post before, or may know what another said of it.

    Leads see which posts are escalated and, in the history, what was taken back.
    """
    said = [*standing, *taken_back]
    is_shown = bool(taken_back) or any(own.decision == "escalate" for own in said)
    return any(own.actor == user_name for own in said) or (is_shown and is_permitted(role, "take_over"))


def has_judged(session: Session, user_name: str, post_id: str) -> bool:
    """Tell whether someone judged a post before, also if it was taken back: they have seen the scores."""
    own = select(Event.seq).where(Event.post_id == post_id, is_by(user_name), Event.kind.in_(JUDGEMENT_KINDS))
    return session.scalar(own.limit(1)) is not None


def describe_judgement(settings: ReviewSettings, post_id: str, decision: str, read: int) -> dict[str, object]:
    """Build the payload every judgement has: which reading it is, and whether a first one calls for a second."""
    if read != 1:
        return {"read": read}
    is_drawn = is_drawn_for_second_read(post_id, settings.second_read_fraction, settings.second_read_seed)
    if not is_drawn and decision != "unsure":
        return {"read": read}
    return {"read": read, "second_read": "drawn" if is_drawn else "unsure"}


def append_judgement(
    session: Session,
    context: ReviewContext,
    actor: SignedIn,
    what: tuple[str, str, str],
    note: str | None,
    payload: dict[str, object],
) -> Event:
    """Append a judgement, ``what`` being its kind, post id and decision, and keep its note apart."""
    kind, post_id, decision = what
    salt, text = create_salt(), (note or "").strip()
    digest = {"note_digest": compute_text_digest(text, salt)} if text else {}
    event = append_event(
        session,
        at=context.clock(),
        actor=actor.user_name,
        kind=kind,
        post_id=post_id,
        decision=decision,
        payload=payload | digest,
    )
    if text:
        session.add(Note(event_seq=event.seq, text=text, salt=salt))
    return event


def _validate(settings: ReviewSettings, decision: str, note: str | None, reasons: Sequence[str]) -> dict[str, object]:
    codes = validate_reasons(reasons, decision, settings.reasons)
    if note is not None and len(note) > MAX_NOTE_CHARACTERS:
        message = f"a note has at most {MAX_NOTE_CHARACTERS} characters, found {len(note)}; nothing was saved"
        raise ConfigError(message)
    return {"reasons": codes} if codes else {}


def _validate_settling(is_allowed: bool, decision: str) -> None:
    if not is_allowed:
        message = "two readings of this post disagree; a lead settles it"
        raise NotAllowedError(message)
    if decision == "unsure":
        message = "two readings disagree and yours settles it: choose another decision than unsure"
        raise ConfigError(message)


def _find_on_desk(session: Session, actor: SignedIn, post_id: str) -> QueueItem:
    item = session.get(QueueItem, post_id, with_for_update=True)
    if item is None:
        _refuse_erased(session, post_id)
        message = "this post has a decision already; nothing was changed. Revise it from the history"
        raise AlreadyDecidedError(message)
    if item.leased_by != actor.user_name:
        message = "this post is on another reviewer's desk by now; nothing was saved. Open the next one"
        raise LeaseLostError(message)
    return item


def _refuse_erased(session: Session, post_id: str) -> None:
    if is_erased(session, post_id):
        message = "the text of this post was erased; its decisions stay as they are"
        raise PostErasedError(message)


def _refuse_while_read(
    session: Session, context: ReviewContext, actor: SignedIn, post_id: str, *, stages: tuple[str, ...]
) -> None:
    item = session.get(QueueItem, post_id)
    if item is None or item.stage not in stages or item.leased_by in (None, actor.user_name):
        return
    if (item.lease_expires_at or "") > to_timestamp(context.clock()):
        message = "another reviewer is reading this post right now; nothing was changed. Try again later"
        raise LeaseLostError(message)


def _put_on_desk(session: Session, context: ReviewContext, actor: SignedIn, item: QueueItem) -> None:
    release_all(session, actor.user_name, except_post=item.post_id)
    item.leased_by = actor.user_name
    item.lease_expires_at = to_timestamp(context.clock() + context.settings.lease_duration)
    session.flush()
