"""Which posts a house need not keep any longer: their review is done, and nothing has happened to them for a while."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.escalations import load_waiting
from apps.review.store.events import to_timestamp
from apps.review.store.models import Event, Post, PostText, QueueItem
from screening.types import Record


class DonePosts(Record):
    """Posts whose text may go; ``n_waiting`` are as old, but wait for a reading, a decision or a lead."""

    post_ids: tuple[str, ...]
    n_waiting: int


def find_done(context: ReviewContext, actor: SignedIn, untouched_since: datetime) -> DonePosts:
    """Find the posts that still hold their text though nobody waits for them.

    Parameters
    ----------
    actor : SignedIn
        Someone who may erase.
    untouched_since : datetime
        With a zone. Import, opening, decisions, undoing and taking over all count as touching a post.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "erase")
        escalated = {since.post_id for since in load_waiting(session)}
        latest = select(Event.post_id, func.max(Event.at).label("at")).group_by(Event.post_id).subquery()
        query = (
            select(Post.post_id, QueueItem.post_id.is_not(None))
            .join(PostText, PostText.post_id == Post.post_id)
            .outerjoin(latest, latest.c.post_id == Post.post_id)
            .outerjoin(QueueItem, QueueItem.post_id == Post.post_id)
            .where(func.coalesce(latest.c.at, Post.imported_at) <= to_timestamp(untouched_since))
            .order_by(Post.post_id)
        )
        old = [(post_id, is_queued or post_id in escalated) for post_id, is_queued in session.execute(query)]
    done = tuple(post_id for post_id, is_waiting in old if not is_waiting)
    return DonePosts(post_ids=done, n_waiting=len(old) - len(done))


def is_touched(session: Session, post_id: str, since: datetime) -> bool:
    """Tell whether anything has happened to a post since a moment."""
    query = select(Event.seq).where(Event.post_id == post_id, Event.at > to_timestamp(since)).limit(1)
    return session.scalar(query) is not None
