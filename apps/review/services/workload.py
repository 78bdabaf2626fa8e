"""How much someone has read today and since they sat down: the daily cap, and when a break is due."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import DailyCapReachedError
from apps.review.services.stages import is_standing
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Event
from screening.types import Record

_COPIED = '%"copied_from"%'  # a judgement given to near-duplicates was read once


class _Done(NamedTuple):
    kind: str
    post_id: str | None
    clock_at: str


class Workload(Record):
    """Posts judged by one person, taken-back judgements left out; a break counts the reminders anew."""

    n_today: int
    daily_cap: int | None
    is_break_due: bool
    n_since_break: int = 0
    minutes_since_break: float = 0.0


def load_workload(context: ReviewContext, actor: SignedIn) -> Workload:
    """Count what the actor has judged today, and since signing in or the last break."""
    with context.store.read() as session:
        authorize(context, session, actor, "judge")
        settings, now = context.settings, context.clock()
        midnight = _find_midnight(now, settings.time_zone)
        done = _load_done(session, actor, min(midnight, actor.signed_in_at), now)
        breaks = [datetime.fromisoformat(one.clock_at) for one in done if one.kind == "break_taken"]
        sat_down = max([actor.signed_in_at, *breaks])
        n_today, n_since_break = _count_posts(done, midnight), _count_posts(done, sat_down)
        return Workload(
            n_today=n_today,
            daily_cap=settings.daily_cap,
            is_break_due=n_since_break >= settings.break_after_posts or now - sat_down >= settings.break_after,
            n_since_break=n_since_break,
            minutes_since_break=_count_minutes(sat_down, now),
        )


def take_break(context: ReviewContext, actor: SignedIn) -> None:
    """Note a break; the reminders count from here."""
    with context.store.write() as session:
        authorize(context, session, actor, "judge")
        append_event(session, at=context.clock(), actor=actor.user_name, kind="break_taken")


def refuse_beyond_cap(session: Session, context: ReviewContext, actor: SignedIn) -> None:
    """Refuse another post to someone who has judged as many today as the house allows.

    Raises
    ------
    DailyCapReachedError
        With the number and where it is set.
    """
    cap = context.settings.daily_cap
    if cap is None:
        return
    now = context.clock()
    midnight = _find_midnight(now, context.settings.time_zone)
    if _count_posts(_load_done(session, actor, midnight, now), midnight) >= cap:
        message = f"you have judged {cap} posts today, the most this house asks of one person in a day; go on tomorrow"
        raise DailyCapReachedError(message)


def _find_midnight(now: datetime, time_zone: str) -> datetime:
    local = now.astimezone(ZoneInfo(time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _load_done(session: Session, actor: SignedIn, since: datetime, now: datetime) -> list[_Done]:
    """Load what the actor judged and when they paused, by the clock; what was taken back is left out.

    An event's own time may lie years ahead, where a clock once ran ahead: ``clock_at`` says what the clock said then.
    """
    n_days = (now.astimezone(UTC).date() - since.astimezone(UTC).date()).days + 1
    days = [since.astimezone(UTC).date() + timedelta(days=day) for day in range(n_days)]
    is_recent = or_(Event.at <= to_timestamp(now), *(Event.payload.like(f'%"clock_at":"{day}%') for day in days))
    query = select(Event.kind, Event.post_id, Event.at, Event.payload).where(
        Event.actor == actor.user_name,
        Event.at >= to_timestamp(since),
        Event.kind.in_(("decision", "break_taken")),
        Event.payload.not_like(_COPIED),
        is_recent,
        is_standing(),
    )
    done = [
        _Done(kind, post_id, json.loads(payload).get("clock_at", at))
        for kind, post_id, at, payload in session.execute(query)
    ]
    return [one for one in done if to_timestamp(since) <= one.clock_at <= to_timestamp(now)]


def _count_posts(done: Iterable[_Done], since: datetime) -> int:
    moment = to_timestamp(since)
    return len({one.post_id for one in done if one.kind == "decision" and one.clock_at >= moment})


def _count_minutes(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds() / 60)
