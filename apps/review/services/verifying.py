"""Checking that nothing was changed behind the toolkit's back."""

import hmac
import json
from collections.abc import Generator, Mapping
from contextlib import closing

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.import_rows import DIGESTED_FIELDS, FACT_FIELDS, compute_import_digest
from apps.review.services.outcomes import iterate_states
from apps.review.services.table_checks import find_forged_account, find_forged_post, find_misplaced_post
from apps.review.store.events import compute_hash, compute_text_digest
from apps.review.store.guard_checks import find_broken_guards
from apps.review.store.models import Event, Note, Post, PostText, QueueItem
from screening.types import Record


class Verification(Record):
    """Result of a check; ``first_bad_event`` is its number, ``problem`` one sentence, both ``None`` if all is well.

    ``head`` is ``<seq>:<hash>`` of the last event: written down elsewhere, it also proves later that no events were
    removed from the end. ``n_erased`` counts posts whose text was erased by the toolkit, which is no tampering.
    """

    n_events: int
    head: str
    first_bad_event: int | None = None
    problem: str | None = None
    n_erased: int = 0

    @property
    def is_intact(self) -> bool:
        """Whether nothing was found."""
        return self.problem is None


def verify_chain(context: ReviewContext, actor: SignedIn, known_head: str | None = None) -> Verification:
    """Recompute every hash and digest, and compare the derived tables with the events.

    Parameters
    ----------
    known_head : str or None
        ``<seq>:<hash>`` printed by an earlier check.

    Returns
    -------
    Verification
        Names the first bad event: the first one whose own row, imported posts, note or text do not fit its hash.

    Notes
    -----
    Whoever can write the file can also compute a whole new chain. Only a head kept elsewhere shows that.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "verify")
        erased = _load_erased(session)
        n_events, head = 0, "0:"
        with closing(_check_events(session, erased)) as events:
            for event, problem in events:
                if problem is not None:
                    return Verification(n_events=n_events, head=head, first_bad_event=event.seq, problem=problem)
                n_events, head = n_events + 1, f"{event.seq}:{event.hash}"
        problem = (
            _check_known_head(session, known_head)
            or _check_guards(session)
            or _check_tables(session)
            or _check_queue(session, erased)
        )
        return Verification(n_events=n_events, head=head, problem=problem, n_erased=len(erased))


def _load_erased(session: Session) -> Mapping[str, int]:
    query = select(Event.post_id, Event.seq).where(Event.kind == "erased")
    return {post_id: seq for post_id, seq in session.execute(query) if post_id is not None}


def _check_events(session: Session, erased: Mapping[str, int]) -> Generator[tuple[Event, str | None]]:
    """Yield every event with its problem; stops being useful at the first one."""
    expected_seq, previous_hash = 1, ""
    with closing(session.scalars(select(Event).order_by(Event.seq).execution_options(yield_per=1_000))) as events:
        for event in events:
            if event.seq != expected_seq:
                yield event, f"event {expected_seq} is missing before it"
            elif not hmac.compare_digest(event.previous_hash, previous_hash):
                yield event, "it does not continue the event before it"
            elif not hmac.compare_digest(event.hash, compute_hash(event)):
                yield event, "its content does not fit its hash"
            else:
                yield event, _check_attachments(session, event, erased)
            expected_seq, previous_hash = event.seq + 1, event.hash


def _check_attachments(session: Session, event: Event, erased: Mapping[str, int]) -> str | None:
    payload = json.loads(event.payload)
    if event.kind == "imported":
        return _check_import(session, event.seq, payload, erased)
    note, digest = session.get(Note, event.seq), payload.get("note_digest")
    if note is not None:
        return None if compute_text_digest(note.text, note.salt) == digest else "its note was changed"
    is_missing = digest is not None and erased.get(event.post_id or "", 0) < event.seq
    return "its note is missing, though nobody erased it" if is_missing else None


def _check_import(session: Session, seq: int, payload: dict[str, object], erased: Mapping[str, int]) -> str | None:
    for name, fields in (("digest", DIGESTED_FIELDS), ("facts_digest", FACT_FIELDS)):
        columns = [getattr(Post, field) for field in fields]
        query = select(*columns).where(Post.import_seq == seq).order_by(Post.post_id)
        rows = session.execute(query.execution_options(yield_per=1_000)).mappings()
        is_as_imported = compute_import_digest((dict(row) for row in rows), fields) == payload.get(name)
        if not is_as_imported and (name == "digest" or name in payload):  # older imports have no facts beside scores
            return "the scores of its imported posts were changed"
    return _check_texts(session, seq, erased)


def _check_texts(session: Session, seq: int, erased: Mapping[str, int]) -> str | None:
    texts = select(Post.post_id, Post.text_digest, PostText.text, PostText.salt)
    texts = texts.outerjoin(PostText, PostText.post_id == Post.post_id).where(Post.import_seq == seq)
    with closing(session.execute(texts.execution_options(yield_per=1_000))) as rows:
        for post_id, digest, words, salt in rows:
            if words is None and post_id not in erased:
                return f"the text of its imported post {post_id} is missing, though nobody erased it"
            if words is not None and post_id in erased:
                return f"the text of its imported post {post_id} is back, though it was erased"
            if words is not None and compute_text_digest(words, salt) != digest:
                return f"the text of its imported post {post_id} was changed"
    return None


def _check_known_head(session: Session, known_head: str | None) -> str | None:
    if known_head is None:
        return None
    seq, _, digest = known_head.partition(":")
    event = session.get(Event, int(seq)) if seq.isascii() and seq.isdigit() and len(seq) < 19 else None
    if event is None or event.hash != digest:
        return f"the known head {known_head} is not in this chain: events were removed or the chain was rewritten"
    return None


def _check_guards(session: Session) -> str | None:
    broken = find_broken_guards(session)
    return f"triggers were removed or changed: {', '.join(broken)}" if broken else None


def _check_tables(session: Session) -> str | None:
    if (post_id := find_forged_post(session)) is not None:
        return f"post {post_id} was put in by no import"
    if (post_id := find_misplaced_post(session)) is not None:
        return f"the queue does not fit what was imported at post {post_id}"
    if (name := find_forged_account(session)) is not None:
        return f"the account {name} is not what the events say"
    return None


def _check_queue(session: Session, erased: Mapping[str, int]) -> str | None:
    """Compare the queue with what the events say: who waits, and for what."""
    gone, expected = set(erased), {}
    for post_id, state in iterate_states(session):
        if state.stage == "settled":
            gone.add(post_id)
        elif post_id not in erased:
            expected[post_id] = state.stage
    absent = select(Post.post_id).outerjoin(QueueItem, QueueItem.post_id == Post.post_id)
    absent = absent.where(QueueItem.post_id.is_(None)).order_by(Post.post_id)
    found_absent = set(session.scalars(absent.execution_options(yield_per=10_000)))
    later = select(QueueItem.post_id, QueueItem.stage).where(QueueItem.stage != "first")
    found_later = dict(session.execute(later).all())
    expected_later = {post_id: stage for post_id, stage in expected.items() if stage != "first"}
    wrong = (found_absent ^ gone) | {post_id for post_id, _ in found_later.items() ^ expected_later.items()}
    return f"the queue does not fit the events at post {min(wrong)}" if wrong else None
