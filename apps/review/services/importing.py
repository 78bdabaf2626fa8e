"""Importing scored posts and their highlights: all of a table or nothing, and a second time changes nothing."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.audit_sampling import AuditSlice, SampledPosts, draw_audit_slice
from apps.review.services.context import ReviewContext
from apps.review.services.import_rows import (
    FACT_FIELDS,
    Row,
    add_facts,
    build_left_out,
    build_rows,
    compute_import_digest,
    place_hidden,
)
from apps.review.services.promises import append_promises, validate_points
from apps.review.services.tables import EXPLANATION_COLUMNS, require_columns, validate_scores
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Highlight, LeftOut, Post, PostText, QueueItem
from screening.data.schema import show_ids
from screening.exceptions import SchemaError
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record

SCORE_TOLERANCE = 1e-6  # what a risk may change by on its way through a CSV file
_REASONS = ("delta", "no_change")  # why an explanation may be unreliable
_N_IDS = 500  # ids in one query
_QUEUE_FIELDS = ("post_id", "priority", "triage", "import_seq", "imported_at", "community", "n_characters", "is_audit")


class ImportSummary(Record):
    """What an import did, in posts; ``n_other_scores`` of those already there came with another model or score.

    ``n_left_out`` are not flagged, or not in the sample asked for. ``n_audit`` of the imported are the random slice of
    unflagged posts, ``n_grouped`` belong to near-duplicates.
    """

    n_imported: int
    n_already_there: int
    n_other_scores: int
    n_left_out: int
    n_audit: int = 0
    n_grouped: int = 0


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
    audit: AuditSlice | SampledPosts | None = None,
    operating_points: Sequence[OperatingPoint] = (),
    alternatives: Sequence[OperatingPoint] = (),
) -> ImportSummary:
    """Put scored posts into the queue.

    Parameters
    ----------
    scores : DataFrame
        Score table (``post_id``, ``triage``, ``risk_*``, ``model_version``, …) without text.
    posts : DataFrame
        ``post_id``, ``text`` and, where known, ``created_at`` and ``community``; more posts than scores are fine.
    include_unflagged : bool
        Also import posts whose triage level is ``no_flag``.
    audit : AuditSlice, SampledPosts or None
        Draw a random slice of the unflagged posts into the queue, at places that tell nothing. Posts left out by an
        earlier import are drawn from too, unless that import drew its own slice among them.
        Or import the posts of a sample alone, flagged or not, its unflagged ones at such places; being drawn in strata,
        they are no random slice.
    operating_points, alternatives : sequence of OperatingPoint
        What the triage levels were made with, and further promised thresholds: shown on the threshold page from now on,
        unless no post is new and those there keep other scores.

    Returns
    -------
    ImportSummary
        A post that was imported before keeps its first scores, its model version and its decisions.

    Raises
    ------
    SchemaError
        If a table breaks its schema, a scored post has no text, a post was imported before with another text, or the
        operating points do not give the table's triage levels; nothing is imported then.
    """
    validate_scores(scores)
    validate_points(scores, operating_points)
    require_columns(posts, ("post_id", "text"), "posts file")
    is_flagged, ids = scores["triage"] != "no_flag", scores["post_id"].astype(str)
    plan, sample = (audit, None) if isinstance(audit, AuditSlice) else (None, audit)
    now = context.clock()
    with context.store.write() as session:
        authorize(context, session, actor, "import")
        frame = _find_frame(session, scores[~is_flagged])
        drawn = draw_audit_slice(frame, plan)
        is_wanted = is_flagged | include_unflagged | ids.isin(drawn) if sample is None else ids.isin(sample.post_ids)
        rows, texts = build_rows(scores[is_wanted], posts, to_timestamp(now))
        place_hidden(rows, sample.unflagged if sample else drawn, seed=audit.seed if audit else 0)
        n_other_scores = _compare_with_known(session, rows, texts)
        known = set(_load_ids(session, Post, [str(row["post_id"]) for row in rows]))
        rows, texts = ([row for row in table if row["post_id"] not in known] for table in (rows, texts))
        add_facts(rows, texts, posts, drawn)
        left_out = build_left_out(scores[~is_wanted])
        _store(session, context, actor, (rows, texts, left_out), frame=frame, audit=plan)
        if rows or not n_other_scores:  # otherwise these promises are for scores that no post here has
            append_promises(session, actor, now, (operating_points, alternatives))
    return ImportSummary(
        n_imported=len(rows),
        n_already_there=int(is_wanted.sum()) - len(rows),
        n_other_scores=n_other_scores,
        n_left_out=int((~is_wanted).sum()),
        n_audit=len(drawn),
        n_grouped=sum(row["duplicate_group"] is not None for row in rows),
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


def _store(
    session: Session,
    context: ReviewContext,
    actor: SignedIn,
    tables: tuple[list[Row], list[Row], list[Row]],
    *,
    frame: Sequence[str],
    audit: AuditSlice | None,
) -> None:
    """Append the event and write its rows; nothing at all where nothing is new."""
    rows, texts, left_out = tables
    known = set(_load_ids(session, LeftOut, [str(row["post_id"]) for row in left_out]))
    known |= set(_load_ids(session, Post, [str(row["post_id"]) for row in left_out]))
    left_out = [row for row in left_out if row["post_id"] not in known]
    is_audited = audit is not None and bool(frame)
    if not (rows or left_out or is_audited):
        return
    payload: dict[str, object] = {
        "n_posts": len(rows),
        "n_left_out": len(left_out),
        "digest": compute_import_digest(rows),
        "facts_digest": compute_import_digest(rows, FACT_FIELDS),
    }
    if audit is not None and frame:
        n_sampled = sum(bool(row["is_audit"]) for row in rows)
        payload["audit"] = {"n_unflagged": len(frame), "n_sampled": n_sampled, "seed": audit.seed}
    event = append_event(session, at=context.clock(), actor=actor.user_name, kind="imported", payload=payload)
    if rows:
        session.execute(insert(Post), [{**row, "import_seq": event.seq} for row in rows])
        session.execute(insert(PostText), texts)
        queued = [{**row, "import_seq": event.seq} for row in rows]
        session.execute(insert(QueueItem), [{name: row[name] for name in _QUEUE_FIELDS} for row in queued])
    if left_out:
        session.execute(insert(LeftOut), [{**row, "import_seq": event.seq, "frame_seq": None} for row in left_out])
    for ids in _split([str(row["post_id"]) for row in rows]):
        session.execute(delete(LeftOut).where(LeftOut.post_id.in_(ids)))
    for ids in _split(frame if is_audited else ()):
        session.execute(update(LeftOut).where(LeftOut.post_id.in_(ids)).values(frame_seq=event.seq))


def _find_frame(session: Session, unflagged: pd.DataFrame) -> list[str]:
    """List the unflagged posts an audit slice may be drawn from: not imported, and in no slice's frame yet."""
    ids = [str(post_id) for post_id in unflagged["post_id"]]
    taken = set(_load_ids(session, Post, ids))
    for some in _split(ids):
        query = select(LeftOut.post_id).where(LeftOut.post_id.in_(some), LeftOut.frame_seq.is_not(None))
        taken |= set(session.scalars(query))
    return sorted(set(ids) - taken)


def _split(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (ids[start : start + _N_IDS] for start in range(0, len(ids), _N_IDS))


def _load_ids(session: Session, table: type[Post] | type[LeftOut], ids: Sequence[str]) -> Iterator[str]:
    for some in _split(ids):
        yield from session.scalars(select(table.post_id).where(table.post_id.in_(some)))


def _load_known(session: Session, ids: Sequence[str]) -> dict[str, Any]:
    query = select(Post.post_id, Post.model_version, Post.triage, Post.risk, PostText.text)
    query = query.outerjoin(PostText, PostText.post_id == Post.post_id)
    found = (session.execute(query.where(Post.post_id.in_(some))) for some in _split(ids))
    return {row.post_id: row for rows in found for row in rows}


def _compare_with_known(session: Session, rows: list[Row], texts: list[Row]) -> int:
    """Refuse posts that were imported with another text; count those that now come with another model or score."""
    known = _load_known(session, [str(row["post_id"]) for row in rows])
    again = [(row, text["text"]) for row, text in zip(rows, texts, strict=True) if row["post_id"] in known]
    offered = [(row, text, known[str(row["post_id"])]) for row, text in again]
    changed = [str(row["post_id"]) for row, text, found in offered if found.text not in (None, text)]
    if changed:
        message = (
            f"{len(changed)} posts are in this database with another text, ids {show_ids(changed)}; "
            "nothing was imported. Give every post an id of its own, or use another --database"
        )
        raise SchemaError(message)
    return sum(not _is_same_score(row, found) for row, _, found in offered)


def _is_same_score(row: Row, found: Any) -> bool:
    is_same_level = (row["model_version"], row["triage"]) == (found.model_version, found.triage)
    return is_same_level and abs(float(str(row["risk"])) - found.risk) <= SCORE_TOLERANCE


def _to_highlight(record: dict[Hashable, Any]) -> dict[str, Any]:
    reason = record.get("unreliable_because")
    return {
        "post_id": str(record["post_id"]),
        "head": str(record["head"]),
        "start": int(record["start"]),
        "end": int(record["end"]),
        "weight": float(record["weight"]),
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
