"""Since when posts wait, and for what: the numbers a watch on the queue needs, without a word of a post."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.escalations import load_waiting
from apps.review.services.outcomes import iterate_states
from apps.review.store.models import QueueItem
from screening.types import Record

WaitName = Literal["escalated", "refer", "review", "no_flag", "second", "settle"]
WAIT_NAMES: tuple[WaitName, ...] = get_args(WaitName)
_LATER_STAGES: dict[str, WaitName] = {"second": "second", "adjudication": "settle"}


class Wait(Record):
    """How many posts wait for one thing, and since when the first of them does (``None``: none waits).

    ``escalated`` posts wait for a lead since somebody escalated them; ``refer``, ``review`` and ``no_flag``, the triage
    levels, for a first reading since their import; ``second`` for a second reading since the first that called for one,
    and ``settle`` for a lead's decision since the second. A judgement that was taken back begins no wait; one that is
    changed does not begin it anew. A post may wait for two things.
    """

    name: WaitName
    n_posts: int
    since: datetime | None


def load_waits(context: ReviewContext, actor: SignedIn) -> Sequence[Wait]:
    """Load what posts wait for, the most pressing first; a post on somebody's desk waits too."""
    with context.store.read() as session:
        authorize(context, session, actor, "see_dashboard")
        found = _load_first_readings(session) | _load_later_stages(session)
        if escalated := load_waiting(session):
            found["escalated"] = (len(escalated), escalated[0].at)
    waits = ((name, *found.get(name, (0, None))) for name in WAIT_NAMES)
    return [Wait(name=name, n_posts=n_posts, since=since) for name, n_posts, since in waits]


def _load_first_readings(session: Session) -> dict[str, tuple[int, datetime | None]]:
    query = select(QueueItem.triage, func.count(), func.min(QueueItem.imported_at))
    rows = session.execute(query.where(QueueItem.stage == "first").group_by(QueueItem.triage))
    return {triage: (n_posts, datetime.fromisoformat(at) if at else None) for triage, n_posts, at in rows}


def _load_later_stages(session: Session) -> dict[str, tuple[int, datetime | None]]:
    """Read the events of these few posts: a judgement that was taken back or changed begins no wait."""
    later = select(QueueItem.post_id).where(QueueItem.stage.in_(_LATER_STAGES))
    moments: dict[str, list[datetime]] = defaultdict(list)
    for _, state in iterate_states(session, only=later):
        if state.waits_since is not None:
            moments[_LATER_STAGES[state.stage]].append(datetime.fromisoformat(state.waits_since.clock_at))
    return {name: (len(group), min(group)) for name, group in moments.items()}
