"""Since when posts wait, and for what: the numbers a watch on the queue needs, without a word of a post."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.decisions import JUDGEMENT_KINDS
from apps.review.services.escalations import load_waiting
from apps.review.store.models import Event, QueueItem
from screening.types import Record

WaitName = Literal["escalated", "refer", "review", "no_flag", "second", "settle"]
WAIT_NAMES: tuple[WaitName, ...] = get_args(WaitName)
_LATER_STAGES: dict[str, WaitName] = {"second": "second", "adjudication": "settle"}


class Wait(Record):
    """How many posts wait for one thing, and since when the first of them does (``None``: none waits).

    ``escalated`` posts wait for a lead since the judgement that escalated them; ``refer``, ``review`` and ``no_flag``,
    the triage levels, for a first reading since their import; ``second`` for a second reading, and ``settle`` for a
    lead's decision, since the latest judgement. A post may wait for two things.
    """

    name: WaitName
    n_posts: int
    since: datetime | None


def load_waits(context: ReviewContext, actor: SignedIn) -> Sequence[Wait]:
    """Load what posts wait for, the most pressing first; a post on somebody's desk waits too."""
    with context.store.read() as session:
        authorize(context, session, actor, "see_dashboard")
        escalated = load_waiting(session)
        found = _load_first_readings(session) | _load_later_stages(session)
    if escalated:
        found["escalated"] = (len(escalated), escalated[0].at)
    return [_to_wait(name, *found.get(name, (0, None))) for name in WAIT_NAMES]


def _load_first_readings(session: Session) -> dict[str, tuple[int, str | None]]:
    query = select(QueueItem.triage, func.count(), func.min(QueueItem.imported_at))
    rows = session.execute(query.where(QueueItem.stage == "first").group_by(QueueItem.triage))
    return {triage: (n_posts, since) for triage, n_posts, since in rows}


def _load_later_stages(session: Session) -> dict[str, tuple[int, str | None]]:
    judged = (
        select(QueueItem.stage, func.max(Event.at).label("at"))
        .join(Event, Event.post_id == QueueItem.post_id)
        .where(QueueItem.stage.in_(_LATER_STAGES), Event.kind.in_(JUDGEMENT_KINDS))
        .group_by(QueueItem.post_id, QueueItem.stage)
        .subquery()
    )
    rows = session.execute(select(judged.c.stage, func.count(), func.min(judged.c.at)).group_by(judged.c.stage))
    return {_LATER_STAGES[stage]: (n_posts, since) for stage, n_posts, since in rows}


def _to_wait(name: WaitName, n_posts: int, since: str | None) -> Wait:
    return Wait(name=name, n_posts=n_posts, since=datetime.fromisoformat(since) if since is not None else None)
