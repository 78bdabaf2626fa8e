"""Importing scored posts: all of a table or nothing, and a second time changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.audit_sampling import AuditSlice, SampledPosts, draw_audit_slice
from apps.review.services.context import ReviewContext
from apps.review.services.id_lists import split_ids
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
from apps.review.services.tables import require_columns, validate_scores
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Event, LeftOut, Post, PostText, QueueItem
from screening.data.schema import show_ids
from screening.exceptions import SchemaError
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record

SCORE_TOLERANCE = 1e-6  # what a risk may change by on its way through a CSV file
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


@dataclass(frozen=True)
class _Stored:
    """What the store holds of a score table's posts; true as long as ``last_import`` is the last one.

    ``known`` are the imported posts with their texts; ``left_out`` tells of others whether a slice's frame has them.
    """

    last_import: int | None
    known: Mapping[str, Any]
    left_out: Mapping[str, bool]


@dataclass(frozen=True)
class _Prepared:
    """All an import is to write; ``frame`` is empty where no audit slice was asked for."""

    rows: list[Row]
    texts: list[Row]
    left_out: list[Row]
    frame: list[str]
    payload: dict[str, object]
    summary: ImportSummary


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
    now = context.clock()
    while True:
        with context.store.read() as session:
            authorize(context, session, actor, "import")
            stored = _look_up(session, scores)
        made = _prepare(scores, posts, stored, to_timestamp(now), audit, include_unflagged=include_unflagged)
        with context.store.write() as session:
            authorize(context, session, actor, "import")
            if _find_last_import(session) != stored.last_import:
                continue  # what was found in the store holds no longer
            _store(session, context, actor, made)
            if made.rows or not made.summary.n_other_scores:  # otherwise these promises are for scores no post here has
                append_promises(session, actor, now, (operating_points, alternatives))
            return made.summary


def _look_up(session: Session, scores: pd.DataFrame) -> _Stored:
    ids = [str(post_id) for post_id in scores["post_id"]]
    query = select(Post.post_id, Post.model_version, Post.triage, Post.risk, PostText.text)
    query = query.outerjoin(PostText, PostText.post_id == Post.post_id)
    known = {
        row.post_id: row for some in split_ids(ids) for row in session.execute(query.where(Post.post_id.in_(some)))
    }
    framed = select(LeftOut.post_id, LeftOut.frame_seq.is_not(None))
    left_out = {
        post_id: is_framed
        for some in split_ids(ids)
        for post_id, is_framed in session.execute(framed.where(LeftOut.post_id.in_(some)))
    }
    return _Stored(last_import=_find_last_import(session), known=known, left_out=left_out)


def _find_last_import(session: Session) -> int | None:
    return session.scalar(select(func.max(Event.seq)).where(Event.kind == "imported"))


def _prepare(
    scores: pd.DataFrame,
    posts: pd.DataFrame,
    stored: _Stored,
    imported_at: str,
    audit: AuditSlice | SampledPosts | None,
    *,
    include_unflagged: bool,
) -> _Prepared:
    """Compute all that is to be written; takes long, so nobody is kept waiting meanwhile."""
    plan, sample = (audit, None) if isinstance(audit, AuditSlice) else (None, audit)
    is_flagged, ids = scores["triage"] != "no_flag", scores["post_id"].astype(str)
    frame = _find_frame(ids[~is_flagged], stored) if plan else []
    drawn = draw_audit_slice(frame, plan)
    is_wanted = is_flagged | include_unflagged | ids.isin(drawn) if sample is None else ids.isin(sample.post_ids)
    rows, texts = build_rows(scores[is_wanted], posts, imported_at)
    place_hidden(rows, sample.unflagged if sample else drawn, seed=audit.seed if audit else 0)
    n_other_scores = _compare_with_known(rows, texts, stored.known)
    rows, texts = ([row for row in table if row["post_id"] not in stored.known] for table in (rows, texts))
    add_facts(rows, texts, posts, drawn)
    is_there = stored.known.keys() | stored.left_out.keys()
    left_out = [row for row in build_left_out(scores[~is_wanted]) if row["post_id"] not in is_there]
    summary = ImportSummary(
        n_imported=len(rows),
        n_already_there=int(is_wanted.sum()) - len(rows),
        n_other_scores=n_other_scores,
        n_left_out=int((~is_wanted).sum()),
        n_audit=len(drawn),
        n_grouped=sum(row["duplicate_group"] is not None for row in rows),
    )
    payload = _describe(rows, left_out, frame, plan)
    return _Prepared(rows=rows, texts=texts, left_out=left_out, frame=frame, payload=payload, summary=summary)


def _find_frame(unflagged: Iterable[str], stored: _Stored) -> list[str]:
    """List the unflagged posts an audit slice may be drawn from: not imported, and in no slice's frame yet."""
    return sorted(post_id for post_id in unflagged if post_id not in stored.known and not stored.left_out.get(post_id))


def _describe(rows: list[Row], left_out: list[Row], frame: list[str], plan: AuditSlice | None) -> dict[str, object]:
    payload: dict[str, object] = {
        "n_posts": len(rows),
        "n_left_out": len(left_out),
        "digest": compute_import_digest(rows),
        "facts_digest": compute_import_digest(rows, FACT_FIELDS),
    }
    if plan is not None and frame:
        n_sampled = sum(bool(row["is_audit"]) for row in rows)
        payload["audit"] = {"n_unflagged": len(frame), "n_sampled": n_sampled, "seed": plan.seed}
    return payload


def _store(session: Session, context: ReviewContext, actor: SignedIn, made: _Prepared) -> None:
    """Append the event and write its rows; nothing at all where nothing is new."""
    if not (made.rows or made.left_out or made.frame):
        return
    event = append_event(session, at=context.clock(), actor=actor.user_name, kind="imported", payload=made.payload)
    rows = [{**row, "import_seq": event.seq} for row in made.rows]
    if rows:
        session.execute(insert(Post), rows)
        session.execute(insert(PostText), made.texts)
        session.execute(insert(QueueItem), [{name: row[name] for name in _QUEUE_FIELDS} for row in rows])
    if made.left_out:
        left_out = [{**row, "import_seq": event.seq, "frame_seq": None} for row in made.left_out]
        session.execute(insert(LeftOut), left_out)
    for ids in split_ids([str(row["post_id"]) for row in rows]):
        session.execute(delete(LeftOut).where(LeftOut.post_id.in_(ids)))
    for ids in split_ids(made.frame):
        session.execute(update(LeftOut).where(LeftOut.post_id.in_(ids)).values(frame_seq=event.seq))


def _compare_with_known(rows: list[Row], texts: list[Row], known: Mapping[str, Any]) -> int:
    """Refuse posts that were imported with another text; count those that now come with another model or score."""
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
