"""Every judged post with what its events say, streamed from the events."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from apps.review.services.decisions import JUDGEMENT_KINDS
from apps.review.services.stages import PostState, derive_state, is_standing, parse_judgement
from apps.review.store.models import Event


def iterate_states(
    session: Session, *, only: Select[Any] | Sequence[str] | None = None
) -> Iterator[tuple[str, PostState]]:
    """Yield post id and state of every post with a standing judgement, in order of id; memory stays small.

    Parameters
    ----------
    only : Select, sequence of str or None
        Ids of the posts wanted, or what selects them; ``None``: all.
    """
    # Spelled so that a database finds the events of some posts by their ids, not all judgements by their kind.
    kind = Event.kind if only is None else func.coalesce(Event.kind, "")
    query = (
        select(Event)
        .where(kind.in_(JUDGEMENT_KINDS), Event.post_id.is_not(None))
        .where(is_standing())
        .order_by(Event.post_id, Event.seq)
    )
    if only is not None:
        query = query.where(Event.post_id.in_(only))
    judgements = map(parse_judgement, session.scalars(query.execution_options(yield_per=1_000)))
    for post_id, own in groupby(judgements, key=lambda judgement: judgement.post_id):
        yield post_id, derive_state(own)
