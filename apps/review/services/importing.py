"""Importing scored posts and their highlights: all of a table or nothing, and a second time changes nothing."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.import_rows import Row, build_rows, compute_import_digest
from apps.review.services.tables import EXPLANATION_COLUMNS, require_columns, validate_scores
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Highlight, Post, PostText, QueueItem
from screening.exceptions import SchemaError
from screening.types import Record

SCORE_TOLERANCE = 1e-6  # what a risk may change by on its way through a CSV file
N_SHOWN_IDS = 10


class ImportSummary(Record):
    """What an import did, in posts; ``n_other_scores`` of those already there came with another model or score."""

    n_imported: int
    n_already_there: int
    n_other_scores: int
    n_not_flagged: int


class ExplanationSummary(Record):
    """Posts that got highlights, and posts that got none because another model than theirs was explained."""

    n_explained: int
    n_other_model: int


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
        Score table (``post_id``, ``triage``, ``risk_*``, ``model_version``, …) without text.
    posts : DataFrame
        ``post_id``, ``text`` and, where known, ``created_at``; more posts than scores are fine.
    include_unflagged : bool
        Also import posts whose triage level is ``no_flag``.

    Returns
    -------
    ImportSummary
        A post that was imported before keeps its first scores, its model version and its decisions.

    Raises
    ------
    SchemaError
        If a table breaks its schema, a scored post has no text, or a post was imported before with another text;
        nothing is imported then.
    """
    validate_scores(scores)
    require_columns(posts, ("post_id", "text"), "posts file")
    wanted = scores if include_unflagged else scores[scores["triage"] != "no_flag"]
    now = context.clock()
    with context.store.write() as session:
        authorize(context, session, actor, "import")
        rows, texts = build_rows(wanted, posts, to_timestamp(now))
        n_other_scores = _compare_with_known(session, rows, texts)
        known = set(session.scalars(select(Post.post_id)))
        rows, texts = ([row for row in table if row["post_id"] not in known] for table in (rows, texts))
        if rows:
            payload = {"n_posts": len(rows), "digest": compute_import_digest(rows)}
            event = append_event(session, at=now, actor=actor.user_name, kind="imported", payload=payload)
            session.execute(insert(Post), [{**row, "import_seq": event.seq} for row in rows])
            session.execute(insert(PostText), texts)
            waiting = [{name: row[name] for name in ("post_id", "priority", "triage")} for row in rows]
            session.execute(insert(QueueItem), waiting)
    return ImportSummary(
        n_imported=len(rows),
        n_already_there=len(wanted) - len(rows),
        n_other_scores=n_other_scores,
        n_not_flagged=len(scores) - len(wanted),
    )


def import_explanations(context: ReviewContext, actor: SignedIn, explanations: pd.DataFrame) -> ExplanationSummary:
    """Keep the highlights of imported posts that have none yet, if they explain the model that scored the post.

    Raises
    ------
    SchemaError
        If columns are missing, or a span lies outside its post or overlaps another of the same head.
    """
    require_columns(explanations, EXPLANATION_COLUMNS, "explanation table")
    now = context.clock()
    with context.store.write() as session:
        authorize(context, session, actor, "import")
        unexplained = select(Post.post_id, Post.model_version, PostText.text).join(
            PostText, PostText.post_id == Post.post_id
        )
        unexplained = unexplained.where(Post.post_id.not_in(select(Highlight.post_id)))
        known = {post_id: (version, len(words)) for post_id, version, words in session.execute(unexplained)}
        offered = [record for record in explanations.to_dict("records") if str(record["post_id"]) in known]
        fitting = [record for record in offered if record["model_version"] == known[str(record["post_id"])][0]]
        rows = [_to_highlight(record) for record in fitting]
        _validate_spans(rows, {post_id: n_characters for post_id, (_, n_characters) in known.items()})
        explained = {row["post_id"] for row in rows}
        if rows:
            session.execute(insert(Highlight), rows)
            payload = {"n_posts": len(explained), "n_spans": len(rows)}
            append_event(session, at=now, actor=actor.user_name, kind="explanations_imported", payload=payload)
    other = {str(record["post_id"]) for record in offered} - explained
    return ExplanationSummary(n_explained=len(explained), n_other_model=len(other))


def _compare_with_known(session: Session, rows: list[Row], texts: list[Row]) -> int:
    """Refuse posts that were imported with another text; count those that now come with another model or score."""
    query = select(Post.post_id, Post.model_version, Post.triage, Post.risk, PostText.text)
    stored = session.execute(query.outerjoin(PostText, PostText.post_id == Post.post_id))
    known = {found.post_id: found for found in stored}
    again = [(row, text["text"]) for row, text in zip(rows, texts, strict=True) if row["post_id"] in known]
    offered = [(row, text, known[row["post_id"]]) for row, text in again]
    changed = [str(row["post_id"]) for row, text, found in offered if found.text not in (None, text)]
    if changed:
        message = (
            f"{len(changed)} posts are in this database with another text, ids {', '.join(changed[:N_SHOWN_IDS])}; "
            "nothing was imported. Give every post an id of its own, or use another --database"
        )
        raise SchemaError(message)
    return sum(not _is_same_score(row, found) for row, _, found in offered)


def _is_same_score(row: Row, found: Any) -> bool:
    is_same_level = (row["model_version"], row["triage"]) == (found.model_version, found.triage)
    return is_same_level and abs(float(str(row["risk"])) - found.risk) <= SCORE_TOLERANCE


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
