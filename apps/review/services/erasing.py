"""Erasing what a person wrote: the words go, the record of decisions stays valid."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import Delete, delete, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.services.retention import is_done
from apps.review.services.stages import is_erased
from apps.review.store.events import append_event
from apps.review.store.models import Event, Highlight, Note, Post, PostText, QueueItem
from screening.data.spreadsheet_cells import restore_cell
from screening.types import Record

_N_POSTS = 500  # posts in one query


class Erasure(Record):
    """What was erased; ``near_duplicates`` are other posts that say nearly the same and still hold their text.

    Not ``is_overwritten``: someone read an older state at that moment, so SQLite's file holds the words until the next
    checkpoint.
    """

    post_id: str
    had_text: bool
    n_notes: int
    n_highlights: int
    near_duplicates: tuple[str, ...] = ()
    is_overwritten: bool = True


class ErasedList(Record):
    """What was erased of a list of posts; ``unknown`` ids are not in the store, the rest is as in :class:`Erasure`.

    ``n_kept`` posts were to be erased for being done, and wait for somebody again or were touched in the meantime.
    """

    n_texts: int
    n_erased_before: int
    n_kept: int
    n_notes: int
    n_highlights: int
    unknown: tuple[str, ...]
    near_duplicates: tuple[str, ...]
    is_overwritten: bool


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
    erasure = _erase(context, actor, post_id)
    if not isinstance(erasure, Erasure):
        message = f"there is no post {post_id!r} in this database; search for its id"
        raise NotAllowedError(message)
    near_duplicates = _list_near_duplicates(context, [erasure.post_id])
    is_overwritten = context.store.forget_deleted()
    return erasure.model_copy(update={"near_duplicates": near_duplicates, "is_overwritten": is_overwritten})


def erase_posts(
    context: ReviewContext, actor: SignedIn, post_ids: Iterable[str], *, untouched_since: datetime | None = None
) -> ErasedList:
    """Erase many posts as :func:`erase_post` does, each with an event of its own.

    Ids that are not in the store are told and stop nothing; one that a CSV keeps from a spreadsheet by an apostrophe is
    found without it. Where this ends before its time, what was erased stays erased, and a second call does the rest.

    Parameters
    ----------
    post_ids : iterable of str
        Taken one by one, so that a caller can show how far this is.
    untouched_since : datetime or None
        Erase only posts that are done since then (:func:`apps.review.services.retention.is_done`); their
        near-duplicates are not listed. ``None``: all are erased.
    """
    found: dict[str, Erasure | Literal["unknown", "kept"]] = {}
    for post_id in post_ids:
        if post_id not in found:
            found[post_id] = _erase(context, actor, post_id, untouched_since)
    done = {erasure.post_id: erasure for erasure in found.values() if isinstance(erasure, Erasure)}
    return ErasedList(
        n_texts=sum(erasure.had_text for erasure in done.values()),
        n_erased_before=sum(not erasure.had_text for erasure in done.values()),
        n_kept=sum(erasure == "kept" for erasure in found.values()),
        n_notes=sum(erasure.n_notes for erasure in done.values()),
        n_highlights=sum(erasure.n_highlights for erasure in done.values()),
        unknown=tuple(post_id for post_id, erasure in found.items() if erasure == "unknown"),
        near_duplicates=_list_near_duplicates(context, list(done)) if untouched_since is None else (),
        is_overwritten=context.store.forget_deleted(),
    )


def _erase(
    context: ReviewContext, actor: SignedIn, asked_id: str, untouched_since: datetime | None = None
) -> Erasure | Literal["unknown", "kept"]:
    """Erase one post in a transaction of its own, or say why not."""
    with context.store.write() as session:
        authorize(context, session, actor, "erase")
        post = session.get(Post, asked_id) or session.get(Post, restore_cell(asked_id))
        if post is None:
            return "unknown"
        post_id = post.post_id
        if untouched_since is not None and not is_done(session, post_id, untouched_since):
            return "kept"
        events = select(Event.seq).where(Event.post_id == post_id)
        erasure = Erasure(
            post_id=post_id,
            had_text=_delete(session, delete(PostText).where(PostText.post_id == post_id)) > 0,
            n_notes=_delete(session, delete(Note).where(Note.event_seq.in_(events))),
            n_highlights=_delete(session, delete(Highlight).where(Highlight.post_id == post_id)),
        )
        session.execute(delete(QueueItem).where(QueueItem.post_id == post_id))
        if not is_erased(session, post_id):
            details = erasure.model_dump(include={"had_text", "n_notes", "n_highlights"})
            append_event(
                session, at=context.clock(), actor=actor.user_name, kind="erased", post_id=post_id, payload=details
            )
    return erasure


def _delete(session: Session, statement: Delete) -> int:
    return session.execute(statement.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]  # set after a DELETE


def _list_near_duplicates(context: ReviewContext, erased: Sequence[str]) -> tuple[str, ...]:
    """List the posts that say nearly the same as those just erased and still hold their text."""
    found: set[str] = set()
    with context.store.read() as session:
        for start in range(0, len(erased), _N_POSTS):
            some = Post.post_id.in_(erased[start : start + _N_POSTS])
            groups = select(Post.duplicate_group).where(some, Post.duplicate_group.is_not(None))
            query = select(Post.post_id).join(PostText, PostText.post_id == Post.post_id)
            found.update(session.scalars(query.where(Post.duplicate_group.in_(groups))))
    return tuple(sorted(found))
