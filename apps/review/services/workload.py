"""How much someone has read today and since they sat down: the daily cap, and when a break is due."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import DailyCapReachedError
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Event
from screening.types import Record

_COPIED = '%"copied_from"%'  # a judgement given to near-duplicates was read once


class Workload(Record):
    """Posts judged by one person; a break counts the reminders anew."""

    n_today: int
    n_since_sign_in: int
    minutes_since_sign_in: float
    daily_cap: int | None
    is_cap_reached: bool
    is_break_due: bool
    n_since_break: int = 0
    minutes_since_break: float = 0.0


def load_workload(context: ReviewContext, actor: SignedIn) -> Workload:
    """Count what the actor has judged today, since signing in, and since the last break."""
    with context.store.read() as session:
        authorize(context, session, actor, "judge")
        settings, now = context.settings, context.clock()
        sat_down = max(actor.signed_in_at, _find_last_break(session, actor) or actor.signed_in_at)
        n_today = _count_judged(session, actor, _find_midnight(now, settings.time_zone))
        n_since_break = _count_judged(session, actor, sat_down)
        return Workload(
            n_today=n_today,
            n_since_sign_in=_count_judged(session, actor, actor.signed_in_at),
            minutes_since_sign_in=_count_minutes(actor.signed_in_at, now),
            daily_cap=settings.daily_cap,
            is_cap_reached=settings.daily_cap is not None and n_today >= settings.daily_cap,
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
    midnight = _find_midnight(context.clock(), context.settings.time_zone)
    if _count_judged(session, actor, midnight) >= cap:
        message = f"you have judged {cap} posts today, the most this house asks of one person in a day; go on tomorrow"
        raise DailyCapReachedError(message)


def _find_midnight(now: datetime, time_zone: str) -> datetime:
    local = now.astimezone(ZoneInfo(time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _count_judged(session: Session, actor: SignedIn, since: datetime) -> int:
    query = select(func.count()).where(
        Event.actor == actor.user_name,
        Event.at >= to_timestamp(since),
        Event.kind == "decision",
        Event.payload.not_like(_COPIED),
    )
    return session.scalar(query) or 0


def _find_last_break(session: Session, actor: SignedIn) -> datetime | None:
    query = select(func.max(Event.at)).where(
        Event.actor == actor.user_name, Event.at >= to_timestamp(actor.signed_in_at), Event.kind == "break_taken"
    )
    found = session.scalar(query)
    return datetime.fromisoformat(found) if found else None


def _count_minutes(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds() / 60)
