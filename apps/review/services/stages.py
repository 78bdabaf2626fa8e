"""What the events say about a post: who has read it, what counts, and what it waits for."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from apps.review.services.decisions import JUDGEMENT_KINDS
from apps.review.store.models import Event, Post, QueueItem
from screening.types import Record

Stage = Literal["first", "second", "adjudication", "settled"]
READ_OF_STAGE: Mapping[str, int] = {"first": 1, "second": 2, "adjudication": 3}
ADJUDICATION = 3


class StandingJudgement(Record):
    """A judgement no later event takes back; ``read`` is 1 for the first reading, 2 for the second, 3 for a lead's.

    ``clock_at`` is what the clock said, earlier than ``at`` where the event before was written by one that ran ahead.
    """

    post_id: str
    seq: int
    at: str
    clock_at: str
    actor: str
    kind: str
    decision: str
    read: int
    second_read: str | None
    is_blind: bool
    is_copy: bool
    reasons: tuple[str, ...]


class PostState(Record):
    """Derived from the standing judgements; ``latest`` holds the last one of each reading, ``counting`` what counts.

    ``began`` holds, of each reading, the first of the unbroken row that says what the last one says. ``waits_since`` is
    the first judgement that called for a second reading, or the first of the second readings where a lead is to settle.
    """

    stage: Stage
    counting: StandingJudgement | None
    latest: Mapping[int, StandingJudgement]
    began: Mapping[int, StandingJudgement]
    waits_since: StandingJudgement | None


def derive_state(judgements: Iterable[StandingJudgement]) -> PostState:
    """Derive where a post stands.

    Parameters
    ----------
    judgements : iterable of StandingJudgement
        Those of one post, in order.

    Notes
    -----
    One reading settles a post, unless it was drawn for a second one or the reader was unsure. Two readings settle it
    if they agree on anything but "unsure", or if only the first was unsure; otherwise a lead decides. Until then the
    first reading counts for the moment.
    """
    latest: dict[int, StandingJudgement] = {}
    began: dict[int, StandingJudgement] = {}
    asked_for: StandingJudgement | None = None
    read_again: StandingJudgement | None = None
    for judgement in judgements:
        if judgement.read not in latest or latest[judgement.read].decision != judgement.decision:
            began[judgement.read] = judgement
        latest[judgement.read] = judgement
        if judgement.read == 1 and judgement.second_read is not None:
            asked_for = asked_for or judgement
        if judgement.read == 2:
            read_again = read_again or judgement
    stage, counting = _choose_stage(latest, is_second_needed=asked_for is not None)
    waits_since = {"second": asked_for, "adjudication": read_again}.get(stage)
    return PostState(stage=stage, counting=counting, latest=latest, began=began, waits_since=waits_since)


def _choose_stage(
    latest: Mapping[int, StandingJudgement], *, is_second_needed: bool
) -> tuple[Stage, StandingJudgement | None]:
    first, second, third = (latest.get(read) for read in (1, 2, ADJUDICATION))
    if third is not None:
        return "settled", third
    if first is None:
        return "first", None
    if second is None:
        return "second" if is_second_needed else "settled", first
    if second.decision != "unsure" and first.decision in (second.decision, "unsure"):
        return "settled", second
    return "adjudication", first


def find_escalation(state: PostState) -> StandingJudgement | None:
    """Find the judgement that a lead is to answer: of the last ones that say escalate, the earliest.

    ``None`` if what counts says otherwise. While two readers disagree, the escalation of either counts.
    """
    said = [own for own in state.latest.values() if own.decision == "escalate"]
    is_open = state.stage == "adjudication" or state.counting in said
    return min(said, key=lambda own: own.seq) if said and is_open else None


def is_drawn_for_second_read(post_id: str, fraction: float, seed: int) -> bool:
    """Draw a share of posts by id: the same posts at every call, on every machine.

    Examples
    --------
    >>> sum(is_drawn_for_second_read(f"post-{i}", 0.2, seed=13) for i in range(1_000))
    186
    """
    return draw_uniform(post_id, seed) < fraction


def draw_uniform(post_id: str, seed: int) -> float:
    """Draw a number in [0, 1) from a seed and an id (the first 52 bits of their SHA-256)."""
    digest = hashlib.sha256(f"{seed}\n{post_id}".encode()).digest()
    return (int.from_bytes(digest[:7], "big") >> 4) / 2**52


def parse_judgement(event: Event) -> StandingJudgement:
    """Read a judgement event; events written before there were second readings are first ones."""
    payload = json.loads(event.payload)
    return StandingJudgement(
        post_id=event.post_id or "",
        seq=event.seq,
        at=event.at,
        clock_at=payload.get("clock_at", event.at),
        actor=event.actor,
        kind=event.kind,
        decision=event.decision or "",
        read=payload.get("read", 1),
        second_read=payload.get("second_read"),
        is_blind=bool(payload.get("is_blind", False)),
        is_copy="copied_from" in payload,
        reasons=tuple(payload.get("reasons", ())),
    )


def is_by(user_name: str) -> ColumnElement[bool]:
    """Tell whose an event is, among those of one post.

    Spelled so that a database finds the post's few events by their index, not all events of the person by theirs.
    """
    return func.coalesce(Event.actor, "") == user_name


def is_standing(event: Any = Event) -> ColumnElement[bool]:
    """Tell whether no later event takes this one back; ``event`` is ``Event`` or an alias of it."""
    undo = aliased(Event)
    return ~exists().where(undo.undoes == event.seq)


def load_readings(session: Session, post_id: str) -> tuple[Sequence[StandingJudgement], Sequence[StandingJudgement]]:
    """Load the standing judgements of one post and those that were taken back, both in order."""
    kinds = (*JUDGEMENT_KINDS, "undo")
    query = select(Event).where(Event.post_id == post_id, Event.kind.in_(kinds)).order_by(Event.seq)
    events = list(session.scalars(query))
    undone = {event.undoes for event in events}
    judged = [parse_judgement(event) for event in events if event.kind != "undo"]
    standing = [own for own in judged if own.seq not in undone]
    return standing, [own for own in judged if own.seq in undone]


def load_judgements(session: Session, post_id: str) -> Sequence[StandingJudgement]:
    """Load the standing judgements of one post, in order."""
    return load_readings(session, post_id)[0]


def load_state(session: Session, post_id: str) -> PostState:
    """Derive the state of one post from its events."""
    return derive_state(load_judgements(session, post_id))


def is_erased(session: Session, post_id: str) -> bool:
    """Tell whether the post's text was erased."""
    # Spelled so that a database finds the post's few events, not every erasure there ever was.
    is_erasure = func.coalesce(Event.kind, "") == "erased"
    query = select(Event.seq).where(Event.post_id == post_id, is_erasure).limit(1)
    return session.scalar(query) is not None


def refresh_queue_item(session: Session, post_id: str, stage: Stage | None = None) -> QueueItem | None:
    """Bring the queue in line with the events of one post; a lease lasts only as long as the stage does.

    Parameters
    ----------
    stage : str or None
        Where the post stands, if the caller has derived it; ``None`` derives it here.

    Returns
    -------
    QueueItem or None
        ``None`` if the post does not wait any more.
    """
    stage = stage or load_state(session, post_id).stage
    item = session.get(QueueItem, post_id)
    if stage == "settled":
        if item is not None:
            session.delete(item)
            session.flush()
        return None
    if item is None:
        if is_erased(session, post_id):
            return None
        item = build_queue_item(session.get_one(Post, post_id))
        session.add(item)
    if item.stage != stage:
        item.stage, item.leased_by, item.lease_expires_at = stage, None, None
    session.flush()
    return item


def build_queue_item(post: Post) -> QueueItem:
    """Build the queue's row of a post nobody has read."""
    return QueueItem(
        post_id=post.post_id,
        priority=post.priority,
        triage=post.triage,
        stage="first",
        import_seq=post.import_seq,
        imported_at=post.imported_at,
        community=post.community,
        n_characters=post.n_characters,
        is_audit=post.is_audit,
        leased_by=None,
        lease_expires_at=None,
    )
