"""Importing scored posts and their highlights: all of a table or nothing, and a second time changes nothing."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
from sqlalchemy import insert, select

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.import_rows import build_rows, compute_import_digest
from apps.review.services.tables import EXPLANATION_COLUMNS, require_columns, validate_scores
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Highlight, Post, PostText, QueueItem
from screening.exceptions import SchemaError
from screening.types import Record


class ImportSummary(Record):
    """What an import did, in posts."""

    n_imported: int
    n_already_there: int
    n_not_flagged: int


def import_scores(
    context: ReviewContext,
    actor: SignedIn,
    scores: pd.DataFrame,
    posts: pd.DataFrame,
    *,
    include_unflagged: bool = False,
) -> ImportSummary:
    """Put scored posts into the queue.

    Parameters
    ----------
    scores : DataFrame
        Score table (``post_id``, ``triage``, ``risk_*``, …) without text.
    posts : DataFrame
        ``post_id``, ``text`` and, where known, ``created_at``; more posts than scores are fine.
    include_unflagged : bool
        Also import posts whose triage level is ``no_flag``.

    Returns
    -------
    ImportSummary
        A post that was imported before keeps its first scores and its decisions.

    Raises
    ------
    SchemaError
        If a table breaks its schema or a scored post has no text; nothing is imported then.
    """
    validate_scores(scores)
    require_columns(posts, ("post_id", "text"), "posts file")
    wanted = scores if include_unflagged else scores[scores["triage"] != "no_flag"]
    now = context.clock()
    with context.store.write() as session:
        authorize(context, session, actor, "import")
        known = set(session.scalars(select(Post.post_id)))
        new = wanted[~wanted["post_id"].astype(str).isin(known)]
        if len(new):
            rows, texts = build_rows(new, posts, to_timestamp(now))
            payload = {"n_posts": len(rows), "digest": compute_import_digest(rows)}
            event = append_event(session, at=now, actor=actor.user_name, kind="imported", payload=payload)
            session.execute(insert(Post), [{**row, "import_seq": event.seq} for row in rows])
            session.execute(insert(PostText), texts)
            waiting = [{name: row[name] for name in ("post_id", "priority", "triage")} for row in rows]
            session.execute(insert(QueueItem), waiting)
    return ImportSummary(
        n_imported=len(new), n_already_there=len(wanted) - len(new), n_not_flagged=len(scores) - len(wanted)
    )


def import_explanations(context: ReviewContext, actor: SignedIn, explanations: pd.DataFrame) -> int:
    """Keep the highlights of imported posts that have none yet; returns how many posts got some.

    Raises
    ------
    SchemaError
        If columns are missing, or a span lies outside its post or overlaps another of the same head.
    """
    require_columns(explanations, EXPLANATION_COLUMNS, "explanation table")
    now = context.clock()
    with context.store.write() as session:
        authorize(context, session, actor, "import")
        unexplained = select(PostText.post_id, PostText.text).where(PostText.post_id.not_in(select(Highlight.post_id)))
        known = {post_id: len(words) for post_id, words in session.execute(unexplained)}
        new = explanations[explanations["post_id"].astype(str).isin(set(known))]
        rows = [_to_highlight(record) for record in new.to_dict("records")]
        _validate_spans(rows, known)
        n_posts = len({row["post_id"] for row in rows})
        if rows:
            session.execute(insert(Highlight), rows)
            payload = {"n_posts": n_posts, "n_spans": len(rows)}
            append_event(session, at=now, actor=actor.user_name, kind="explanations_imported", payload=payload)
    return n_posts


def _to_highlight(record: dict[Hashable, Any]) -> dict[str, Any]:
    return {
        "post_id": str(record["post_id"]),
        "head": str(record["head"]),
        "start": int(record["start"]),
        "end": int(record["end"]),
        "weight": float(record["weight"]),
        "is_reliable": bool(record.get("is_reliable", True)),
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
