"""Which posts a house need not keep any longer: their review is done, and nothing has happened to them for a while."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.escalations import find_take_over, find_unanswered, load_waiting
from apps.review.services.stages import load_state
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
        With a zone. What leaves an event of the post touches it: opening it to judge it, the first look at what was
        hidden, a judgement, undoing, taking over. Its import does too; another import of it, or a later look, does not.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "erase")
        escalated = {post.post_id for post in load_waiting(session)}
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


def is_done(session: Session, post_id: str, untouched_since: datetime) -> bool:
    """Tell of one post whether it is done now, whatever a list said before."""
    is_touched = Event.post_id == post_id, Event.at > to_timestamp(untouched_since)
    if session.scalar(select(Event.seq).where(*is_touched).limit(1)) is not None:
        return False
    is_queued = session.get(QueueItem, post_id) is not None
    return not is_queued and find_unanswered(load_state(session, post_id), find_take_over(session, post_id)) is None
