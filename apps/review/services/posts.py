"""One post, as much of it as its reader may see."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.services.judging import find_standing, has_judged
from apps.review.store.models import Highlight, Note, Post, PostText, QueueItem
from screening.types import Record


class HighlightSpan(Record):
    """How much the score depended on the characters ``[start, end)``; ``weight`` in [-1, 1], 1 the strongest."""

    start: int
    end: int
    weight: float


class Revealed(Record):
    """What stays hidden until the first judgement."""

    triage: str
    risk: float
    scores: Mapping[str, object]
    model_version: str
    head: str | None
    is_reliable: bool
    highlights: tuple[HighlightSpan, ...]


class Judgement(Record):
    """The standing decision on a post."""

    seq: int
    decision: str
    actor: str
    at: datetime
    note: str | None


class PostDetail(Record):
    """A post on someone's desk; ``text`` is ``None`` after erasure, ``revealed`` before a blind first judgement."""

    post_id: str
    text: str | None
    created_at: datetime | None
    imported_at: datetime
    is_truncated: bool
    is_on_desk: bool
    standing: Judgement | None
    revealed: Revealed | None


def load_post(context: ReviewContext, actor: SignedIn, post_id: str) -> PostDetail:
    """Load a post on the actor's desk, or one they have judged.

    Raises
    ------
    NotAllowedError
        If it is neither: nobody reads posts by guessing ids.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "judge")
        item = session.get(QueueItem, post_id)
        is_on_desk = item is not None and item.leased_by == actor.user_name
        was_judged = has_judged(session, actor.user_name, post_id)
        if not (is_on_desk or was_judged):
            message = "this post is not on your desk; open it from the queue"
            raise NotAllowedError(message)
        post = session.get_one(Post, post_id)
        text = session.get(PostText, post_id)
        is_revealed = was_judged or not context.settings.is_blind
        return PostDetail(
            post_id=post_id,
            text=text.text if text else None,
            created_at=datetime.fromisoformat(post.created_at) if post.created_at else None,
            imported_at=datetime.fromisoformat(post.imported_at),
            is_truncated=bool(post.scores.get("is_truncated", False)),
            is_on_desk=is_on_desk,
            standing=_load_standing(session, post_id),
            revealed=_reveal(session, post) if is_revealed else None,
        )


def _load_standing(session: Session, post_id: str) -> Judgement | None:
    event = find_standing(session, post_id)
    if event is None:
        return None
    note = session.get(Note, event.seq)
    return Judgement(
        seq=event.seq,
        decision=event.decision or "",
        actor=event.actor,
        at=datetime.fromisoformat(event.at),
        note=note.text if note else None,
    )


def _reveal(session: Session, post: Post) -> Revealed:
    query = select(Highlight).where(Highlight.post_id == post.post_id).order_by(Highlight.head, Highlight.start)
    spans = list(session.scalars(query))
    head = choose_head({span.head for span in spans}, post)
    chosen = [span for span in spans if span.head == head]
    largest = max((abs(span.weight) for span in chosen), default=0.0) or 1.0
    return Revealed(
        triage=post.triage,
        risk=post.risk,
        scores=post.scores,
        model_version=post.model_version,
        head=head,
        is_reliable=all(span.is_reliable for span in chosen),
        highlights=tuple(
            HighlightSpan(start=span.start, end=span.end, weight=span.weight / largest) for span in chosen
        ),
    )


def choose_head(heads: set[str], post: Post) -> str | None:
    """Pick which explanation to show: the target that ranks the post, else the first class, else none."""
    by_risk = sorted(
        (name for name in post.scores if name.startswith("risk_")), key=lambda name: post.scores[name] != post.risk
    )
    wanted = [f"class:{name.removeprefix('risk_')}" for name in by_risk]
    known = [head for head in wanted if head in heads] + sorted(head for head in heads if head.startswith("class:"))
    return known[0] if known else None
