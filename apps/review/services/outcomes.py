"""Every judged post with what its events say, streamed from the events."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session, aliased

from apps.review.services.decisions import JUDGEMENT_KINDS
from apps.review.services.stages import PostState, derive_state, parse_judgement
from apps.review.store.models import Event


def iterate_states(session: Session, *, only: Select[Any] | None = None) -> Iterator[tuple[str, PostState]]:
    """Yield post id and state of every post with a standing judgement, in order of id; memory stays small.

    Parameters
    ----------
    only : Select or None
        Selects the ids of the posts wanted; ``None``: all.
    """
    undo = aliased(Event)
    query = (
        select(Event)
        .where(Event.kind.in_(JUDGEMENT_KINDS), Event.post_id.is_not(None))
        .where(~exists().where(undo.undoes == Event.seq))
        .order_by(Event.post_id, Event.seq)
    )
    if only is not None:
        query = query.where(Event.post_id.in_(only))
    judgements = map(parse_judgement, session.scalars(query.execution_options(yield_per=1_000)))
    for post_id, own in groupby(judgements, key=lambda judgement: judgement.post_id):
        yield post_id, derive_state(own)
