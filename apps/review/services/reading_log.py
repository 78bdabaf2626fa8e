"""What happened at the desks, as plain entries, and the numbers made of them."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.store.events import to_timestamp
from apps.review.store.models import Event
from screening.metrics.intervals import estimate_proportion
from screening.types import Estimate, Record

_KINDS = ("opened", "decision", "revision", "revealed", "undo")
_SPLIT = "blind first judgements, scores seen afterwards"


class LogEntry(Record):
    """One event at a desk."""

    seq: int
    at: datetime
    actor: str
    kind: str
    post_id: str
    decision: str | None
    undoes: int | None
    revises: int | None
    is_blind: bool
    is_copy: bool


class ThroughputRow(Record):
    """What one person judged on one day of the house; judgements given to near-duplicates are not counted."""

    day: date
    reviewer: str
    n_judgements: int
    n_revisions: int


class TimeRow(Record):
    """Seconds from opening a post to deciding, over ``n`` decisions; ``n_cut`` of them had an idle gap cut short."""

    reviewer: str | None
    median_seconds: float | None
    n: int
    n_cut: int


class OverturnRow(Record):
    """Share of blind first judgements whose decision was changed once the scores were seen."""

    reviewer: str | None
    rate: Estimate


def load_log(session: Session, since: datetime) -> list[LogEntry]:
    """Load what happened since a moment, in order."""
    columns = (Event.seq, Event.at, Event.actor, Event.kind, Event.post_id, Event.decision, Event.undoes, Event.payload)
    query = select(*columns).where(Event.kind.in_(_KINDS), Event.at >= to_timestamp(since)).order_by(Event.seq)
    entries = []
    for seq, at, actor, kind, post_id, decision, undoes, payload in session.execute(query):
        details = json.loads(payload)
        entries.append(
            LogEntry(
                seq=seq,
                at=datetime.fromisoformat(at),
                actor=actor,
                kind=kind,
                post_id=post_id or "",
                decision=decision,
                undoes=undoes,
                revises=details.get("revises"),
                is_blind=bool(details.get("is_blind", False)),
                is_copy="copied_from" in details,
            )
        )
    return entries


def compute_throughput(log: Iterable[LogEntry], zone: ZoneInfo) -> tuple[ThroughputRow, ...]:
    """Count judgements and revisions per day and person."""
    counts = Counter(
        (entry.at.astimezone(zone).date(), entry.actor, entry.kind)
        for entry in log
        if entry.kind in ("decision", "revision") and not entry.is_copy
    )
    keys = sorted({(day, actor) for day, actor, _ in counts})
    return tuple(
        ThroughputRow(
            day=day,
            reviewer=actor,
            n_judgements=counts[day, actor, "decision"],
            n_revisions=counts[day, actor, "revision"],
        )
        for day, actor in keys
    )


def compute_times(log: Iterable[LogEntry], idle_cut: timedelta) -> tuple[TimeRow, ...]:
    """Compute the median time per post, for everyone and per person; gaps longer than ``idle_cut`` count as that."""
    opened: dict[tuple[str, str], datetime] = {}
    gaps: dict[str | None, list[timedelta]] = defaultdict(list)
    for entry in log:
        desk = entry.actor, entry.post_id
        if entry.kind in ("opened", "undo"):  # after an undo the post lies open on the same desk again
            opened[desk] = entry.at
        elif entry.kind == "decision" and not entry.is_copy and desk in opened:
            gap = entry.at - opened.pop(desk)
            gaps[entry.actor].append(gap)
            gaps[None].append(gap)
    people: list[str | None] = [None, *sorted(name for name in gaps if name is not None)]
    return tuple(_to_time_row(name, gaps[name], idle_cut) for name in people)


def compute_overturns(log: Iterable[LogEntry]) -> tuple[OverturnRow, ...]:
    """Compute the share of blind judgements changed after the reveal, for everyone and per person.

    A blind judgement counts once its reader has seen the scores; taken-back judgements and revisions do not count.
    """
    entries = list(log)
    undone = {entry.undoes for entry in entries if entry.undoes is not None}
    revealed = {(entry.actor, entry.post_id) for entry in entries if entry.kind == "revealed"}
    standing = [entry for entry in entries if entry.seq not in undone]
    last = {(entry.actor, entry.post_id): entry.decision for entry in standing if entry.kind == "revision"}
    changes: dict[str | None, list[bool]] = {None: []}
    for entry in standing:
        desk = entry.actor, entry.post_id
        if entry.kind == "decision" and entry.is_blind and not entry.is_copy and desk in revealed:
            is_changed = last.get(desk, entry.decision) != entry.decision
            changes[None].append(is_changed)
            changes.setdefault(entry.actor, []).append(is_changed)
    people: list[str | None] = [None, *sorted(name for name in changes if name is not None)]
    return tuple(
        OverturnRow(reviewer=name, rate=estimate_proportion(sum(changes[name]), len(changes[name]), split=_SPLIT))
        for name in people
    )


def _to_time_row(reviewer: str | None, gaps: list[timedelta], idle_cut: timedelta) -> TimeRow:
    seconds = [min(gap, idle_cut).total_seconds() for gap in gaps]
    return TimeRow(
        reviewer=reviewer,
        median_seconds=median(seconds) if seconds else None,
        n=len(seconds),
        n_cut=sum(gap > idle_cut for gap in gaps),
    )
