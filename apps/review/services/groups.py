"""Near-duplicates of a judged post: offered for the same decision, never decided by themselves."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import LeaseLostError, NotAllowedError
from apps.review.services.judging import Receipt, append_judgement, describe_judgement, find_own, has_judged
from apps.review.services.stages import StandingJudgement, load_state, refresh_queue_item
from apps.review.store.events import to_timestamp
from apps.review.store.models import Post, PostText, QueueItem
from screening.types import Record

MAX_OFFERED = 20  # near-duplicates beside a post: as many as one can look at


class GroupMember(Record):
    """A waiting post that says nearly the same; its text is shown so that the decision is a look, not a guess."""

    post_id: str
    text: str


def load_group(context: ReviewContext, actor: SignedIn, post_id: str) -> tuple[GroupMember, ...]:
    """List the first ``MAX_OFFERED`` near-duplicates the actor may judge now: unread, and on no one else's desk.

    Raises
    ------
    NotAllowedError
        If the post is neither on the actor's desk nor judged by them.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "judge")
        _require_known(session, actor, post_id)
        query = _select_members(actor, post_id, context.clock()).order_by(Post.post_id).limit(MAX_OFFERED)
        return tuple(GroupMember(post_id=member, text=text) for member, text in session.execute(query))


def decide_group(
    context: ReviewContext, actor: SignedIn, post_id: str, member_ids: Sequence[str]
) -> tuple[Receipt, ...]:
    """Give the actor's own standing decision on a post, with its reasons, to these near-duplicates; all or none.

    Each gets an event of its own, which can be taken back by itself. Such copies count for no agreement or time.

    Raises
    ------
    NotAllowedError
        If the actor has no standing judgement of the post.
    LeaseLostError
        If a post is no near-duplicate of it, or was taken or judged meanwhile; none is decided then.
    """
    with context.store.write() as session:
        authorize(context, session, actor, "judge")
        own = find_own(load_state(session, post_id), actor.user_name)
        if own is None:
            message = "only a decision of your own can be given to near-duplicates; judge the post first"
            raise NotAllowedError(message)
        free = _select_members(actor, post_id, context.clock()).where(Post.post_id.in_(member_ids))
        taken = sorted(set(member_ids) - set(session.scalars(free)))
        if taken:
            message = f"these posts were taken or judged meanwhile: {', '.join(taken)[:200]}. Nothing was saved"
            raise LeaseLostError(message)
        return tuple(_copy(context, session, actor, own, member) for member in dict.fromkeys(member_ids))


def _copy(context: ReviewContext, session: Session, actor: SignedIn, own: StandingJudgement, post_id: str) -> Receipt:
    payload = describe_judgement(context.settings, post_id, own.decision, read=1)
    payload |= {"is_blind": False, "copied_from": own.seq}
    if own.reasons:
        payload["reasons"] = list(own.reasons)
    event = append_judgement(session, context, actor, ("decision", post_id, own.decision), None, payload)
    refresh_queue_item(session, post_id)
    return Receipt(seq=event.seq, hash=event.hash)


def _require_known(session: Session, actor: SignedIn, post_id: str) -> None:
    item = session.get(QueueItem, post_id)
    is_on_desk = item is not None and item.leased_by == actor.user_name
    if not (is_on_desk or has_judged(session, actor.user_name, post_id)):
        message = "this post is not on your desk; open it from the queue"
        raise NotAllowedError(message)


def _select_members(actor: SignedIn, post_id: str, now: datetime) -> Select[str, str]:
    group = select(Post.duplicate_group).where(Post.post_id == post_id).scalar_subquery()
    is_free = or_(
        QueueItem.leased_by.is_(None),
        QueueItem.leased_by == actor.user_name,
        QueueItem.lease_expires_at <= to_timestamp(now),
    )
    return (
        select(PostText.post_id, PostText.text)
        .join(Post, Post.post_id == PostText.post_id)
        .join(QueueItem, QueueItem.post_id == PostText.post_id)
        .where(Post.duplicate_group == group, Post.post_id != post_id, QueueItem.stage == "first", is_free)
    )
