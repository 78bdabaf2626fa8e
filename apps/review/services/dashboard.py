"""The lead's numbers: how much is read, how long it takes, what was changed, and how long the rest will last."""

from datetime import date, datetime, timedelta
from statistics import mean, stdev
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.agreement import Agreement, compute_agreement
from apps.review.services.context import ReviewContext
from apps.review.services.escalations import count_waiting
from apps.review.services.reading_log import (
    LogEntry,
    OverturnRow,
    ThroughputRow,
    TimeRow,
    compute_overturns,
    compute_throughput,
    compute_times,
    load_log,
)
from apps.review.store.events import to_timestamp
from apps.review.store.models import Event, Post, QueueItem
from screening.types import Record


class QueueAge(Record):
    """How long posts have waited since their import, and for what."""

    n_waiting: int
    median_hours: float | None
    oldest_hours: float | None
    n_first: int
    n_second: int
    n_adjudication: int
    n_held: int


class Backlog(Record):
    """How long what waits would last at the present pace, if nothing more were imported.

    ``decided_per_day`` is the mean over the ``n_days`` observed, days without work included; low and high follow from
    its 95 % interval (mean ± 2 standard errors of the days). ``None``: nothing decided yet, or too few days to say.
    ``imported_per_day`` stands beside it: above ``decided_per_day`` the queue grows.
    """

    n_waiting: int
    decided_per_day: float | None
    imported_per_day: float
    days_to_clear: float | None
    days_to_clear_low: float | None
    days_to_clear_high: float | None
    n_days: int


class Dashboard(Record):
    """Everything on the lead's page; rows with ``reviewer`` ``None`` are everyone together.

    ``n_escalated`` posts wait for a lead to take them over.
    """

    throughput: tuple[ThroughputRow, ...]
    time_per_post: tuple[TimeRow, ...]
    overturns: tuple[OverturnRow, ...]
    agreement: Agreement
    queue_age: QueueAge
    backlog: Backlog
    n_escalated: int = 0


def load_dashboard(context: ReviewContext, actor: SignedIn, *, n_days: int = 14) -> Dashboard:
    """Load the lead's numbers.

    Parameters
    ----------
    n_days : int
        The last days that count for throughput, times, overturns and backlog, today included; agreement counts all.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "see_dashboard")
        now, zone = context.clock(), ZoneInfo(context.settings.time_zone)
        first_day = now.astimezone(zone).date() - timedelta(days=n_days - 1)
        since = datetime(first_day.year, first_day.month, first_day.day, tzinfo=zone)
        log = load_log(session, since)
        return Dashboard(
            throughput=compute_throughput(log, zone),
            time_per_post=compute_times(log, context.settings.idle_cut),
            overturns=compute_overturns(log),
            agreement=compute_agreement(session),
            queue_age=_load_queue_age(session, now),
            backlog=_forecast(session, log, zone, (first_day, now.astimezone(zone).date()), since),
            n_escalated=count_waiting(session),
        )


def _load_queue_age(session: Session, now: datetime) -> QueueAge:
    by_stage = dict(session.execute(select(QueueItem.stage, func.count()).group_by(QueueItem.stage)).all())
    # All posts of one import came at the same moment, so the imports give the exact median.
    query = select(func.max(QueueItem.imported_at), func.count()).group_by(QueueItem.import_seq)
    ages = sorted(
        (max(0.0, (now - datetime.fromisoformat(at)).total_seconds() / 3_600), n)
        for at, n in session.execute(query)
        if at is not None
    )
    is_held = QueueItem.leased_by.is_not(None) & (QueueItem.lease_expires_at > to_timestamp(now))
    return QueueAge(
        n_waiting=sum(by_stage.values()),
        median_hours=_find_median(ages),
        oldest_hours=ages[-1][0] if ages else None,
        n_first=by_stage.get("first", 0),
        n_second=by_stage.get("second", 0),
        n_adjudication=by_stage.get("adjudication", 0),
        n_held=session.scalar(select(func.count()).select_from(QueueItem).where(is_held)) or 0,
    )


def _find_median(weighted: list[tuple[float, int]]) -> float | None:
    """Find the lower median of values that each stand for several posts, given in order."""
    middle, seen = (sum(n for _, n in weighted) + 1) // 2, 0
    for value, n in weighted:
        seen += n
        if seen >= middle > 0:
            return value
    return None


def _forecast(
    session: Session, log: list[LogEntry], zone: ZoneInfo, window: tuple[date, date], since: datetime
) -> Backlog:
    n_waiting = session.scalar(select(func.count()).select_from(QueueItem)) or 0
    first = session.scalar(select(func.min(Event.at)))
    start = max(window[0], datetime.fromisoformat(first).astimezone(zone).date()) if first else window[1]
    days = [start + timedelta(days=i) for i in range((window[1] - start).days + 1)]
    decided = [entry.at.astimezone(zone).date() for entry in log if entry.kind == "decision"]
    per_day = [decided.count(day) for day in days]
    n_imported = session.scalar(select(func.count()).where(Post.imported_at >= to_timestamp(since))) or 0
    pace = mean(per_day) if any(per_day) else None
    error = 2 * stdev(per_day) / len(per_day) ** 0.5 if pace and len(per_day) > 1 else None
    return Backlog(
        n_waiting=n_waiting,
        decided_per_day=pace,
        imported_per_day=n_imported / len(days),
        days_to_clear=n_waiting / pace if pace else None,
        days_to_clear_low=n_waiting / (pace + error) if pace and error is not None else None,
        days_to_clear_high=n_waiting / (pace - error) if pace and error is not None and pace > error else None,
        n_days=len(days),
    )
