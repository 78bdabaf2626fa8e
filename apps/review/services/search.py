"""Finding posts by id, and by their words for those who may."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.decisions import JUDGEMENT_KINDS
from apps.review.services.filters import list_claim_conditions
from apps.review.services.stages import is_by
from apps.review.store.events import to_timestamp
from apps.review.store.models import Event, Post, PostText, QueueItem
from screening.exceptions import ConfigError
from screening.types import Record

MIN_ID_CHARACTERS = 2
MIN_TEXT_CHARACTERS = 3
MAX_RESULTS = 200


class SearchRow(Record):
    """One found post; ``is_waiting`` tells that the actor may open it now or later, if no one else holds it."""

    post_id: str
    is_waiting: bool
    is_held_by_other: bool
    is_judged_by_me: bool


def search_posts(
    context: ReviewContext, actor: SignedIn, query: str, *, in_text: bool = False, limit: int = 20
) -> Sequence[SearchRow]:
    """Find posts whose id (or text) contains these characters, upper or lower case, in order of id.

    Parameters
    ----------
    query : str
        Taken literally: ``%`` and ``_`` are characters like others.
    in_text : bool
        Search the words; needs the permission ``search_text``. Reads every text: seconds at a million posts.

    Raises
    ------
    ConfigError
        If the query is too short.
    """
    wanted, shortest = query.strip(), MIN_TEXT_CHARACTERS if in_text else MIN_ID_CHARACTERS
    with context.store.read() as session:
        authorize(context, session, actor, "search_text" if in_text else "judge")
        if len(wanted) < shortest:
            message = f"search for at least {shortest} characters, found {len(wanted)}"
            raise ConfigError(message)
        column = PostText.text if in_text else Post.post_id
        found = select(PostText.post_id if in_text else Post.post_id).where(column.icontains(wanted, autoescape=True))
        ids = list(session.scalars(found.order_by("post_id").limit(min(limit, MAX_RESULTS))))
        return _describe(session, actor, ids, to_timestamp(context.clock()))


def _describe(session: Session, actor: SignedIn, ids: Sequence[str], now: str) -> Sequence[SearchRow]:
    items = {item.post_id: item for item in session.scalars(select(QueueItem).where(QueueItem.post_id.in_(ids)))}
    mine = select(QueueItem.post_id).where(QueueItem.post_id.in_(ids), *list_claim_conditions(actor, "reading"))
    waiting = set(session.scalars(mine))
    own = select(Event.post_id).where(Event.post_id.in_(ids), is_by(actor.user_name), Event.kind.in_(JUDGEMENT_KINDS))
    judged = set(session.scalars(own))
    return [
        SearchRow(
            post_id=post_id,
            is_waiting=post_id in waiting,
            is_held_by_other=_is_held_by_other(items.get(post_id), actor, now),
            is_judged_by_me=post_id in judged,
        )
        for post_id in ids
    ]


def _is_held_by_other(item: QueueItem | None, actor: SignedIn, now: str) -> bool:
    if item is None or item.leased_by in (None, actor.user_name):
        return False
    return (item.lease_expires_at or "") > now
