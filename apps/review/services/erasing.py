"""Erasing what a person wrote: the words go, the record of decisions stays valid."""

from sqlalchemy import Delete, delete, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.services.stages import is_erased
from apps.review.store.events import append_event
from apps.review.store.models import Event, Highlight, Note, Post, PostText, QueueItem
from screening.types import Record


class Erasure(Record):
    """What was erased; ``near_duplicates`` are other posts that say nearly the same and still hold their text.

    Not ``is_overwritten``: someone read an older state at that moment, so SQLite's file holds the words until the next
    checkpoint.
    """

    post_id: str
    had_text: bool
    n_notes: int
    n_highlights: int
    near_duplicates: tuple[str, ...]
    is_overwritten: bool = True


def erase_post(context: ReviewContext, actor: SignedIn, post_id: str) -> Erasure:
    """Erase the text, notes and highlights of a post for good; it leaves the queue.

    Decisions, scores and the salted digest of the text stay: the salt goes with the text, so the digest cannot be
    guessed back. On SQLite the file holds nothing of it afterwards; PostgreSQL gives the place back with its next
    VACUUM. Backups keep what they hold. A second time changes nothing.

    Raises
    ------
    NotAllowedError
        If there is no such post.
    """
    with context.store.write() as session:
        authorize(context, session, actor, "erase")
        post = session.get(Post, post_id)
        if post is None:
            message = f"there is no post {post_id!r} in this database; search for its id"
            raise NotAllowedError(message)
        events = select(Event.seq).where(Event.post_id == post_id)
        erasure = Erasure(
            post_id=post_id,
            had_text=_delete(session, delete(PostText).where(PostText.post_id == post_id)) > 0,
            n_notes=_delete(session, delete(Note).where(Note.event_seq.in_(events))),
            n_highlights=_delete(session, delete(Highlight).where(Highlight.post_id == post_id)),
            near_duplicates=_list_near_duplicates(session, post),
        )
        session.execute(delete(QueueItem).where(QueueItem.post_id == post_id))
        if not is_erased(session, post_id):
            details = erasure.model_dump(include={"had_text", "n_notes", "n_highlights"})
            append_event(
                session, at=context.clock(), actor=actor.user_name, kind="erased", post_id=post_id, payload=details
            )
    return erasure.model_copy(update={"is_overwritten": context.store.forget_deleted()})


def _delete(session: Session, statement: Delete) -> int:
    return session.execute(statement.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]  # set after a DELETE


def _list_near_duplicates(session: Session, post: Post) -> tuple[str, ...]:
    if post.duplicate_group is None:
        return ()
    query = select(Post.post_id).join(PostText, PostText.post_id == Post.post_id)
    query = query.where(Post.duplicate_group == post.duplicate_group, Post.post_id != post.post_id)
    return tuple(session.scalars(query.order_by(Post.post_id)))
