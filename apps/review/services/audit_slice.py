"""The audit of unflagged posts: how far it has got, and how many posts that need someone were missed."""

import json
from collections import Counter, defaultdict
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.outcomes import iterate_states
from apps.review.store.models import Event, Post
from screening.audit.finite_population import compute_lower_total, compute_upper_total
from screening.metrics.intervals import estimate_proportion
from screening.types import Estimate, Record

CONFIDENCE_LEVEL = 0.95
_SPLIT = "random slice of unflagged posts"
_Finding = Literal["concern", "no_concern", "undecided"]


class AuditRow(Record):
    """The slice of one import; ``misses_low`` and ``misses_high`` bound the concerns among all its unflagged posts.

    ``n_undecided`` of the posts read wait for another reading. Until they are settled, share and misses are unknown;
    the bounds hold whatever they turn out to be.
    """

    import_seq: int
    imported_at: datetime
    n_unflagged: int
    n_sampled: int
    n_read: int
    n_undecided: int
    n_concern: int
    miss_rate: Estimate
    misses: float | None
    misses_low: int
    misses_high: int


class AuditTotal(Record):
    """All slices together."""

    n_unflagged: int
    n_sampled: int
    n_read: int
    n_undecided: int
    n_concern: int
    misses: float | None
    misses_low: int
    misses_high: int
    confidence_level: float = CONFIDENCE_LEVEL


class AuditProgress(Record):
    """One row per import that drew a slice, oldest first; a post counts as read once somebody has judged it."""

    rows: tuple[AuditRow, ...]
    total: AuditTotal


def load_audit(context: ReviewContext, actor: SignedIn) -> AuditProgress:
    """Load progress and estimated misses.

    Notes
    -----
    The slice is a simple random sample of the unflagged posts of its import, and its posts wait at random places of the
    queue: those read so far are taken for a random sample too (not so if people pick posts by filters). A miss is an
    unflagged post whose settled decision is one of ``concern_decisions``. Posts read and not settled are no random part
    of those read, so they are not left out: the lower bound takes none of them for a concern, the upper one all. Bounds
    of one import are exact (hypergeometric); over k imports each is made at confidence 1 - 0.05 / k, and the sums of
    the bounds hold at 0.95.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "see_audit_slice")
        slices = _load_slices(session)
        counts = _count_read(session, context.settings.concern_decisions)
    rows = tuple(_build_row(seq, at, audit, counts.get(seq, Counter())) for seq, at, audit in slices)
    return AuditProgress(rows=rows, total=_add_up(rows))


def _bound_misses(
    n_concern: int, n_undecided: int, n_read: int, n_unflagged: int, confidence_level: float
) -> tuple[int, int]:
    """Bound the concerns among the unflagged posts, two-sided, whatever the undecided posts turn out to be."""
    one_sided = (1 + confidence_level) / 2
    return (
        compute_lower_total(n_unflagged, n_read, n_concern, one_sided),
        compute_upper_total(n_unflagged, n_read, n_concern + n_undecided, one_sided),
    )


def _load_slices(session: Session) -> list[tuple[int, datetime, dict[str, int]]]:
    query = select(Event.seq, Event.at, Event.payload).where(Event.kind == "imported").order_by(Event.seq)
    found = [(seq, datetime.fromisoformat(at), json.loads(payload)) for seq, at, payload in session.execute(query)]
    return [(seq, at, payload["audit"]) for seq, at, payload in found if "audit" in payload]


def _count_read(session: Session, concern_decisions: tuple[str, ...]) -> dict[int, Counter[_Finding]]:
    """Count what was found in the audit posts somebody has judged, per import."""
    is_audit = select(Post.post_id).where(Post.is_audit)
    imports = dict(session.execute(select(Post.post_id, Post.import_seq).where(Post.is_audit)).all())
    counts: dict[int, Counter[_Finding]] = defaultdict(Counter)
    for post_id, state in iterate_states(session, only=is_audit):
        if state.counting is not None:
            counts[imports[post_id]][_find(state.stage, state.counting.decision, concern_decisions)] += 1
    return counts


def _find(stage: str, decision: str, concern_decisions: tuple[str, ...]) -> _Finding:
    if stage != "settled":
        return "undecided"
    return "concern" if decision in concern_decisions else "no_concern"


def _build_row(seq: int, at: datetime, audit: dict[str, int], counts: Counter[_Finding]) -> AuditRow:
    n_read, n_undecided, n_concern = counts.total(), counts["undecided"], counts["concern"]
    low, high = _bound_misses(n_concern, n_undecided, n_read, audit["n_unflagged"], CONFIDENCE_LEVEL)
    unknown = Estimate(value=None, n_samples=n_read, split=_SPLIT)
    miss_rate = unknown if n_undecided else estimate_proportion(n_concern, n_read, split=_SPLIT)
    return AuditRow(
        import_seq=seq,
        imported_at=at,
        n_unflagged=audit["n_unflagged"],
        n_sampled=audit["n_sampled"],
        n_read=n_read,
        n_undecided=n_undecided,
        n_concern=n_concern,
        miss_rate=miss_rate,
        misses=miss_rate.value * audit["n_unflagged"] if miss_rate.value is not None else None,
        misses_low=low,
        misses_high=high,
    )


def _add_up(rows: tuple[AuditRow, ...]) -> AuditTotal:
    level = 1 - (1 - CONFIDENCE_LEVEL) / max(1, len(rows))
    bounds = [_bound_misses(row.n_concern, row.n_undecided, row.n_read, row.n_unflagged, level) for row in rows]
    misses = [row.misses for row in rows if row.misses is not None]
    return AuditTotal(
        n_unflagged=sum(row.n_unflagged for row in rows),
        n_sampled=sum(row.n_sampled for row in rows),
        n_read=sum(row.n_read for row in rows),
        n_undecided=sum(row.n_undecided for row in rows),
        n_concern=sum(row.n_concern for row in rows),
        misses=sum(misses) if rows and len(misses) == len(rows) else None,
        misses_low=sum(low for low, _ in bounds),
        misses_high=sum(high for _, high in bounds),
    )
