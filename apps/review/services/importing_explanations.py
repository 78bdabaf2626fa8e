"""Importing the highlights of imported posts: all of a table or nothing, and a second time changes nothing."""

import math
from collections.abc import Hashable, Iterable
from typing import Any

import pandas as pd
from sqlalchemy import exists, func, insert, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.id_lists import split_ids
from apps.review.services.tables import EXPLANATION_COLUMNS, require_columns
from apps.review.store.events import append_event
from apps.review.store.models import Highlight, Post, PostText
from screening.data.schema import show_ids
from screening.exceptions import SchemaError
from screening.types import Record

_REASONS = ("delta", "no_change")  # why an explanation may be unreliable


class ExplanationSummary(Record):
    """Posts that got highlights, and posts that got none because another model than theirs was explained."""

    n_explained: int
    n_other_model: int


def import_explanations(context: ReviewContext, actor: SignedIn, explanations: pd.DataFrame) -> ExplanationSummary:
    """Keep the highlights of imported posts that have none yet, if they explain the model that scored the post.

    Raises
    ------
    SchemaError
        If columns are missing, a place or weight is no number, or a span lies outside its post or overlaps another of
        the same head.
    """
    require_columns(explanations, EXPLANATION_COLUMNS, "explanation table")
    now = context.clock()
    with context.store.read() as session:
        authorize(context, session, actor, "import")
        known = _load_unexplained(session, explanations["post_id"])
    offered = [record for record in explanations.to_dict("records") if str(record["post_id"]) in known]
    fitting = [record for record in offered if record["model_version"] == known[str(record["post_id"])][0]]
    rows = [_to_highlight(record) for record in fitting]
    _validate_spans(rows, {post_id: n_characters for post_id, (_, n_characters) in known.items()})
    with context.store.write() as session:
        authorize(context, session, actor, "import")
        still = _load_unexplained(session, [row["post_id"] for row in rows])
        rows = [row for row in rows if row["post_id"] in still]
        if rows:
            session.execute(insert(Highlight), rows)
            payload = {"n_posts": len(still), "n_spans": len(rows)}
            append_event(session, at=now, actor=actor.user_name, kind="explanations_imported", payload=payload)
    other = {str(record["post_id"]) for record in offered} - {str(record["post_id"]) for record in fitting}
    return ExplanationSummary(n_explained=len(still), n_other_model=len(other))


def _load_unexplained(session: Session, post_ids: Iterable[object]) -> dict[str, tuple[str, int]]:
    """Load model version and length in characters of those of these posts that have a text and no highlights."""
    query = select(Post.post_id, Post.model_version, func.length(PostText.text))
    query = query.join(PostText, PostText.post_id == Post.post_id)
    query = query.where(~exists().where(Highlight.post_id == Post.post_id))
    ids = sorted({str(post_id) for post_id in post_ids})
    found = (row for some in split_ids(ids) for row in session.execute(query.where(Post.post_id.in_(some))))
    return {post_id: (version, n_characters) for post_id, version, n_characters in found}


def _to_highlight(record: dict[Hashable, Any]) -> dict[str, Any]:
    reason = record.get("unreliable_because")
    try:
        start, end, weight = int(record["start"]), int(record["end"]), float(record["weight"])
    except (TypeError, ValueError, OverflowError):
        start, end, weight = 0, 0, math.nan
    if not math.isfinite(weight):
        message = (
            f"a highlight of post {show_ids([str(record['post_id'])])} lacks a number in start, end or weight; nothing "
            "was imported. Make the explanations anew (screening explain)"
        )
        raise SchemaError(message)
    return {
        "post_id": str(record["post_id"]),
        "head": str(record["head"]),
        "start": start,
        "end": end,
        "weight": weight,
        "is_reliable": bool(record.get("is_reliable", True)),
        "unreliable_because": reason if reason in _REASONS else None,
    }


def _validate_spans(rows: list[dict[str, Any]], n_characters: dict[str, int]) -> None:
    ends: dict[tuple[str, str], int] = {}
    for row in sorted(rows, key=lambda row: (row["post_id"], row["head"], row["start"])):
        key = (row["post_id"], row["head"])
        if not ends.get(key, 0) <= row["start"] < row["end"] <= n_characters[row["post_id"]]:
            message = (
                f"a highlight of post {row['post_id']} ({row['head']}) covers [{row['start']}, {row['end']}), outside "
                "the post or over another one; make the explanations from the same posts file"
            )
            raise SchemaError(message)
        ends[key] = row["end"]
