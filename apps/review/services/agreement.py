"""How far two blind readings of the same post agree."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.stages import StandingJudgement, is_standing, parse_judgement
from apps.review.store.models import Event, QueueItem
from screening.metrics.agreement import compute_cohen_kappa, compute_krippendorff_alpha
from screening.types import Estimate, Record

SEED = 13  # of the bootstrap
_SPLIT = "posts drawn for a second blind reading"


class PairRow(Record):
    """Agreement of two people, named in order of the alphabet."""

    first: str
    second: str
    n_posts: int
    kappa: Estimate


class ConfusionRow(Record):
    """How many posts got these two decisions, from the first and from the second reader."""

    first: str
    second: str
    n: int


class Agreement(Record):
    """Agreement on the blind first judgements of two readers, before either saw a score.

    Only posts drawn at random for a second reading count: those read twice because the first reader was unsure would
    pull agreement down. ``n_adjudicated`` counts the disagreements a lead has settled.
    """

    alpha: Estimate
    kappa: Estimate
    n_posts: int
    n_agreeing: int
    pairs: tuple[PairRow, ...]
    confusion: tuple[ConfusionRow, ...]
    n_waiting_second: int
    n_waiting_adjudication: int
    n_adjudicated: int


def load_agreement(context: ReviewContext, actor: SignedIn) -> Agreement:
    """Compute kappa and alpha with bootstrap intervals over posts, for everyone together and per pair of people."""
    with context.store.read() as session:
        authorize(context, session, actor, "see_dashboard")
        return compute_agreement(session)


def compute_agreement(session: Session) -> Agreement:
    """Compute what :func:`load_agreement` returns, for callers who have asked for permission."""
    both = _load_pairs(session)
    first, second = ([pair[i].decision for pair in both] for i in (0, 1))
    confusion = Counter(zip(first, second, strict=True))
    waiting = dict(session.execute(select(QueueItem.stage, func.count()).group_by(QueueItem.stage)).all())
    n_adjudicated = session.scalar(
        select(func.count()).where(Event.kind == "decision", Event.payload.like('%"read":3%'), is_standing())
    )
    return Agreement(
        alpha=compute_krippendorff_alpha(list(zip(first, second, strict=True)), split=_SPLIT, rng=_rng()),
        kappa=compute_cohen_kappa(first, second, split=_SPLIT, rng=_rng()),
        n_posts=len(both),
        n_agreeing=sum(n for (a, b), n in confusion.items() if a == b),
        pairs=_compare_people(both),
        confusion=tuple(ConfusionRow(first=a, second=b, n=n) for (a, b), n in sorted(confusion.items())),
        n_waiting_second=waiting.get("second", 0),
        n_waiting_adjudication=waiting.get("adjudication", 0),
        n_adjudicated=n_adjudicated or 0,
    )


def _load_pairs(session: Session) -> Sequence[tuple[StandingJudgement, StandingJudgement]]:
    is_of_two = or_(Event.payload.like('%"second_read":"drawn"%'), Event.payload.like('%"read":2%'))
    query = select(Event).where(Event.kind == "decision", is_of_two, is_standing()).order_by(Event.seq)
    by_post: dict[str, dict[int, StandingJudgement]] = defaultdict(dict)
    for judgement in map(parse_judgement, session.scalars(query)):
        if judgement.is_blind and not judgement.is_copy and (judgement.read == 2 or judgement.second_read == "drawn"):
            by_post[judgement.post_id][judgement.read] = judgement
    return [(reads[1], reads[2]) for _, reads in sorted(by_post.items()) if reads.keys() >= {1, 2}]


def _compare_people(both: Sequence[tuple[StandingJudgement, StandingJudgement]]) -> tuple[PairRow, ...]:
    by_people: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for pair in both:
        one, other = sorted(pair, key=lambda judgement: judgement.actor)
        by_people[one.actor, other.actor].append((one.decision, other.decision))
    return tuple(
        PairRow(
            first=people[0],
            second=people[1],
            n_posts=len(decisions),
            kappa=compute_cohen_kappa([a for a, _ in decisions], [b for _, b in decisions], split=_SPLIT, rng=_rng()),
        )
        for people, decisions in sorted(by_people.items())
    )


def _rng() -> np.random.Generator:
    return np.random.default_rng(SEED)
