"""One post, as much of it as its reader may see."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.services.escalations import find_take_over
from apps.review.services.judging import find_own, has_judged
from apps.review.services.stages import PostState, StandingJudgement, is_by, is_erased, load_state
from apps.review.store.events import append_event
from apps.review.store.models import Event, Highlight, Note, Post, PostText, QueueItem
from screening.types import Record


class HighlightSpan(Record):
    """How much the score depended on the characters ``[start, end)``; ``weight`` in [-1, 1], 1 the strongest."""

    start: int
    end: int
    weight: float


class Revealed(Record):
    """What stays hidden until the first judgement.

    Where ``is_unchanged``, the score did not change when words were masked: weights are noise, and there are no
    ``highlights``.
    """

    triage: str
    risk: float
    scores: Mapping[str, object]
    model_version: str
    head: str | None
    is_reliable: bool
    highlights: tuple[HighlightSpan, ...]
    is_audit: bool = False
    is_unchanged: bool = False


class Judgement(Record):
    """One standing judgement of a post."""

    seq: int
    decision: str
    actor: str
    at: datetime
    note: str | None
    reasons: tuple[str, ...] = ()


class PostDetail(Record):
    """A post on someone's desk; ``text`` is ``None`` after erasure, ``revealed`` before a blind first judgement.

    ``waits_since`` is the import, and of a post to be settled the reading that disagreed. ``standing`` is the reader's
    own judgement, never another's. Whoever settles a disagreement, or has taken an escalated post over, sees all
    ``reads``; whoever has judged sees the ``outcome`` once the post is settled.
    """

    post_id: str
    text: str | None
    created_at: datetime | None
    waits_since: datetime
    is_truncated: bool
    is_on_desk: bool
    standing: Judgement | None
    revealed: Revealed | None
    community: str | None = None
    is_erased: bool = False
    is_adjudication: bool = False
    reads: tuple[Judgement, ...] = ()
    outcome: Judgement | None = None
    n_near_duplicates: int = 0


def load_post(context: ReviewContext, actor: SignedIn, post_id: str) -> PostDetail:
    """Load a post on the actor's desk, or one they have judged or taken over.

    Scores are handed out after the first judgement. The first time someone gets to see the
    scores, an event ``revealed`` says so.

    Raises
    ------
    NotAllowedError
        If it is none of these: nobody reads posts by guessing ids.
    """
    with context.store.read() as session:
        detail = _load(context, session, actor, post_id)
        is_first_look = detail.revealed is not None and not _was_revealed(session, actor, post_id)
    if is_first_look:
        _note_reveal(context, actor, post_id)
    return detail


def _load(context: ReviewContext, session: Session, actor: SignedIn, post_id: str) -> PostDetail:
    role = authorize(context, session, actor, "judge")
    item = session.get(QueueItem, post_id)
    is_on_desk = item is not None and item.leased_by == actor.user_name
    was_judged = has_judged(session, actor.user_name, post_id)
    held = find_take_over(session, post_id) if is_permitted(role, "take_over") else None
    is_taken_over = held is not None and held.actor == actor.user_name
    if not (is_on_desk or was_judged or is_taken_over):
        message = "this post is not on your desk; open it from the queue"
        raise NotAllowedError(message)
    is_adjudication = is_on_desk and item is not None and item.stage == "adjudication"
    is_revealed = was_judged or is_adjudication or not context.settings.is_blind
    post, text, state = session.get_one(Post, post_id), session.get(PostText, post_id), load_state(session, post_id)
    own = find_own(state, actor.user_name)
    begun = state.waits_since if is_adjudication else None  # of a second reading it would tell that it is one
    shows_reads = is_taken_over or (is_adjudication and is_permitted(role, "adjudicate"))
    shows_outcome = was_judged and state.stage == "settled" and state.counting is not None
    return PostDetail(
        post_id=post_id,
        text=text.text if text else None,
        created_at=datetime.fromisoformat(post.created_at) if post.created_at else None,
        waits_since=datetime.fromisoformat(begun.clock_at if begun else post.imported_at),
        is_truncated=bool(post.scores.get("is_truncated", False)),
        is_on_desk=is_on_desk,
        standing=_to_judgement(session, own) if own else None,
        revealed=_reveal(session, post) if is_revealed else None,
        community=post.community,
        is_erased=is_erased(session, post_id),
        is_adjudication=is_adjudication,
        reads=_list_reads(session, state) if shows_reads else (),
        outcome=_to_judgement(session, state.counting) if shows_outcome and state.counting else None,
        n_near_duplicates=_count_group(session, post),
    )


def _was_revealed(session: Session, actor: SignedIn, post_id: str) -> bool:
    query = select(Event.seq).where(Event.post_id == post_id, is_by(actor.user_name), Event.kind == "revealed")
    return session.scalar(query.limit(1)) is not None


def _note_reveal(context: ReviewContext, actor: SignedIn, post_id: str) -> None:
    with context.store.write() as session:
        authorize(context, session, actor, "judge")
        if not _was_revealed(session, actor, post_id):
            append_event(session, at=context.clock(), actor=actor.user_name, kind="revealed", post_id=post_id)


def _list_reads(session: Session, state: PostState) -> tuple[Judgement, ...]:
    return tuple(_to_judgement(session, state.latest[read]) for read in sorted(state.latest))


def _to_judgement(session: Session, judgement: StandingJudgement) -> Judgement:
    note = session.get(Note, judgement.seq)
    return Judgement(
        seq=judgement.seq,
        decision=judgement.decision,
        actor=judgement.actor,
        at=datetime.fromisoformat(judgement.at),
        note=note.text if note else None,
        reasons=judgement.reasons,
    )


def _count_group(session: Session, post: Post) -> int:
    if post.duplicate_group is None:
        return 0
    same = Post.duplicate_group == post.duplicate_group
    return (session.scalar(select(func.count()).select_from(Post).where(same)) or 1) - 1


def _reveal(session: Session, post: Post) -> Revealed:
    query = select(Highlight).where(Highlight.post_id == post.post_id).order_by(Highlight.head, Highlight.start)
    spans = list(session.scalars(query))
    head = choose_head({span.head for span in spans}, post)
    chosen = [span for span in spans if span.head == head]
    is_unchanged = any(span.unreliable_because == "no_change" for span in chosen)
    largest = max((abs(span.weight) for span in chosen), default=0.0) or 1.0
    return Revealed(
        triage=post.triage,
        risk=post.risk,
        scores=post.scores,
        model_version=post.model_version,
        head=head,
        is_reliable=all(span.is_reliable for span in chosen),
        is_audit=post.is_audit,
        is_unchanged=is_unchanged,
        highlights=tuple(
            HighlightSpan(start=span.start, end=span.end, weight=span.weight / largest)
            for span in ([] if is_unchanged else chosen)
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
