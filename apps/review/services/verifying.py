"""Checking that nothing was changed behind the toolkit's back."""

import hmac
import json
from collections.abc import Iterator

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.import_rows import DIGESTED_FIELDS, compute_import_digest
from apps.review.store.events import compute_hash, compute_text_digest
from apps.review.store.guards import TRIGGERS
from apps.review.store.models import Event, Note, Post, PostText
from screening.types import Record


class Verification(Record):
    """Result of a check; ``first_bad_event`` is its number, ``problem`` one sentence, both ``None`` if all is well.

    ``head`` is ``<seq>:<hash>`` of the last event: written down elsewhere, it also proves later that no events were
    removed from the end.
    """

    n_events: int
    head: str
    first_bad_event: int | None = None
    problem: str | None = None

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
        n_events, head = 0, "0:"
        for event, problem in _check_events(session):
            if problem is not None:
                return Verification(n_events=n_events, head=head, first_bad_event=event.seq, problem=problem)
            n_events, head = n_events + 1, f"{event.seq}:{event.hash}"
        problem = _check_known_head(session, known_head) or _check_guards(session) or _check_queue(session)
        return Verification(n_events=n_events, head=head, problem=problem)


def _check_events(session: Session) -> Iterator[tuple[Event, str | None]]:
    """Yield every event with its problem; stops being useful at the first one."""
    expected_seq, previous_hash = 1, ""
    for event in session.scalars(select(Event).order_by(Event.seq).execution_options(yield_per=1_000)):
        if event.seq != expected_seq:
            yield event, f"event {expected_seq} is missing before it"
        elif not hmac.compare_digest(event.previous_hash, previous_hash):
            yield event, "it does not continue the event before it"
        elif not hmac.compare_digest(event.hash, compute_hash(event)):
            yield event, "its content does not fit its hash"
        else:
            yield event, _check_attachments(session, event)
        expected_seq, previous_hash = event.seq + 1, event.hash


def _check_attachments(session: Session, event: Event) -> str | None:
    payload = json.loads(event.payload)
    if event.kind == "imported":
        return _check_import(session, event.seq, payload)
    note = session.get(Note, event.seq)
    if note is not None and compute_text_digest(note.text, note.salt) != payload.get("note_digest"):
        return "its note was changed"
    return None


def _check_import(session: Session, seq: int, payload: dict[str, object]) -> str | None:
    columns = [getattr(Post, name) for name in DIGESTED_FIELDS]
    query = select(*columns).where(Post.import_seq == seq).order_by(Post.post_id)
    rows = session.execute(query.execution_options(yield_per=1_000)).mappings()
    if compute_import_digest(dict(row) for row in rows) != payload.get("digest"):
        return "the scores of its imported posts were changed"
    texts = select(Post.post_id, Post.text_digest, PostText.text, PostText.salt)
    texts = texts.join(PostText, PostText.post_id == Post.post_id).where(Post.import_seq == seq)
    for post_id, digest, words, salt in session.execute(texts.execution_options(yield_per=1_000)):
        if compute_text_digest(words, salt) != digest:
            return f"the text of its imported post {post_id} was changed"
    return None


def _check_known_head(session: Session, known_head: str | None) -> str | None:
    if known_head is None:
        return None
    seq, _, digest = known_head.partition(":")
    event = session.get(Event, int(seq)) if seq.isdigit() else None
    if event is None or event.hash != digest:
        return f"the known head {known_head} is not in this chain: events were removed or the chain was rewritten"
    return None


def _check_guards(session: Session) -> str | None:
    found: dict[str, str] = dict(
        session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
    )
    broken = sorted(name for name, sql in TRIGGERS.items() if found.get(name, "").split() != sql.split())
    return f"triggers were removed or changed: {', '.join(broken)}" if broken else None


def _check_queue(session: Session) -> str | None:
    """Compare the queue with what the events say: a post waits exactly if no judgement stands."""
    query = """
        SELECT p.post_id FROM posts p
        LEFT JOIN queue q ON q.post_id = p.post_id
        LEFT JOIN standing_decisions s ON s.post_id = p.post_id
        WHERE (q.post_id IS NULL) = (s.post_id IS NULL)
        ORDER BY p.post_id LIMIT 1
    """
    post_id = session.scalar(text(query))
    return f"the queue does not fit the events at post {post_id}" if post_id is not None else None
