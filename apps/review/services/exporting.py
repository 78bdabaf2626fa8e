"""Taking decisions out: as a table for people, or as labelled data for the next training. Every export is an event."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize, is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.decisions import DECISIONS
from apps.review.services.escalations import TakeOver, find_answer, load_take_overs
from apps.review.services.outcomes import iterate_states
from apps.review.services.stages import PostState
from apps.review.store.events import append_event, to_timestamp
from apps.review.store.models import Note, Post, PostText
from screening.data.spreadsheet_cells import neutralise_cells
from screening.exceptions import ConfigError
from screening.types import Record

FileFormat = Literal["csv", "jsonl", "parquet"]
MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}
_N_POSTS = 500  # posts in one query
_COLUMNS = (
    "post_id", "decision", "status", "reasons", "decided_by", "decided_at", "is_copy", "first_decision",
    "second_decision", "adjudicated_decision", "taken_over_at", "triage", "risk", "model_version", "is_audit",
    "community", "import_seq",
)  # fmt: skip
_TEXT_COLUMNS = ("text", "note")


class Export(Record):
    """A file to hand over; ``n_left_out`` judged posts are not in it; ``seq`` is the event that says so."""

    content: bytes
    file_name: str
    media_type: str
    n_rows: int
    n_left_out: int
    sha256: str
    seq: int


def export_decisions(
    context: ReviewContext, actor: SignedIn, *, file_format: FileFormat = "csv", with_text: bool = False
) -> Export:
    """Export one row per judged post: the decision that counts, the readings behind it, and the score.

    Parameters
    ----------
    file_format : str
        ``csv``, ``jsonl`` or ``parquet``. In CSV, cells a spreadsheet would run as a formula start with an apostrophe.
    with_text : bool
        Also the post's text and the note; needs the permission ``export_text``.

    Notes
    -----
    ``status`` is ``settled``, or what the post still waits for (``second``, ``adjudication``); the decision of such a
    post counts for the moment only. Decision, reasons and note of a post that waits for its second reader are kept back
    from people who may be that reader. ``taken_over_at`` says since when a lead answers for an escalated post.
    """
    _validate_format(file_format)
    with context.store.read() as session:
        role = authorize(context, session, actor, "export_text" if with_text else "export")
        may_judge = is_permitted(role, "judge")
        rows = [
            _to_row(post, state, answer, is_hidden=may_judge and state.stage == "second")
            for post, state, answer in _iterate_posts(session)
        ]
        columns = [*_COLUMNS, *(_TEXT_COLUMNS if with_text else ())]
        if with_text:
            _add_words(session, rows)
    table = pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=columns)
    what: dict[str, object] = {"what": "decisions", "format": file_format, "with_text": with_text}
    return _hand_over(context, actor, table, what, n_left_out=0)


def export_labelled(
    context: ReviewContext, actor: SignedIn, labels: Mapping[str, str], *, file_format: FileFormat = "parquet"
) -> Export:
    """Export settled posts as labelled data that ``screening run`` trains on with ``data.source=file``.

    Parameters
    ----------
    labels : mapping of decision to label
        Which label of the taxonomy each decision stands for; posts with other decisions are left out and counted.
    file_format : str
        In CSV, texts that look like formulas are changed (see :func:`export_decisions`): train on the other formats.

    Raises
    ------
    ConfigError
        If a decision is not known, or a label is empty.
    """
    _validate_format(file_format)
    _validate_labels(labels)
    with context.store.read() as session:
        authorize(context, session, actor, "export_text")
        judged = [(post, state) for post, state, _ in _iterate_posts(session)]
        rows = [
            {"post_id": post.post_id, "label": labels[state.counting.decision], "seq": state.counting.seq}
            for post, state in judged
            if state.stage == "settled" and state.counting is not None and state.counting.decision in labels
        ]
        _add_words(session, rows)
    rows = [row for row in rows if row["text"] is not None]
    columns = ["post_id", "text", "label"]
    table = pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=columns)
    what: dict[str, object] = {"what": "labelled", "format": file_format, "with_text": True, "labels": dict(labels)}
    return _hand_over(context, actor, table, what, n_left_out=len(judged) - len(rows))


def _hand_over(
    context: ReviewContext, actor: SignedIn, table: pd.DataFrame, what: dict[str, object], *, n_left_out: int
) -> Export:
    """Append the event first: no table leaves without it."""
    content = _write(table, str(what["format"]))
    digest = hashlib.sha256(content).hexdigest()
    now = context.clock()
    with context.store.write() as session:
        authorize(context, session, actor, "export_text" if what["with_text"] else "export")
        payload = what | {"n_rows": len(table), "n_left_out": n_left_out, "sha256": digest}
        event = append_event(session, at=now, actor=actor.user_name, kind="exported", payload=payload)
    return Export(
        content=content,
        file_name=f"{what['what']}-{now:%Y%m%d-%H%M%S}.{what['format']}",
        media_type=MEDIA_TYPES[str(what["format"])],
        n_rows=len(table),
        n_left_out=n_left_out,
        sha256=digest,
        seq=event.seq,
    )


def _write(table: pd.DataFrame, file_format: str) -> bytes:
    if file_format == "csv":
        # Every text cell is quoted: a lone carriage return inside one would end the row otherwise.
        return neutralise_cells(table).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC).encode("utf-8")
    if file_format == "jsonl":
        return table.to_json(orient="records", lines=True, force_ascii=False, double_precision=15).encode("utf-8")
    target = io.BytesIO()
    table.to_parquet(target, index=False)
    return target.getvalue()


def _iterate_posts(session: Session) -> Iterator[tuple[Post, PostState, TakeOver | None]]:
    """Yield every judged post with where it stands, and who has taken it over if it is escalated."""
    states = list(iterate_states(session))
    for start in range(0, len(states), _N_POSTS):
        some = states[start : start + _N_POSTS]
        ids = [post_id for post_id, _ in some]
        query, held = select(Post).where(Post.post_id.in_(ids)), load_take_overs(session, ids)
        posts = {post.post_id: post for post in session.scalars(query)}
        yield from ((posts[post_id], state, find_answer(state, held.get(post_id))) for post_id, state in some)


def _to_row(post: Post, state: PostState, answer: TakeOver | None, *, is_hidden: bool) -> dict[str, object]:
    counting = state.counting
    shown = None if is_hidden else counting
    reads = {} if is_hidden else {read: own.decision for read, own in state.latest.items()}
    return {
        "post_id": post.post_id,
        "decision": shown.decision if shown else None,
        "status": state.stage,
        "reasons": " ".join(shown.reasons) if shown else "",
        "decided_by": counting.actor if counting else None,
        "decided_at": counting.at if counting else None,
        "is_copy": counting.is_copy if counting else False,
        "first_decision": reads.get(1),
        "second_decision": reads.get(2),
        "adjudicated_decision": reads.get(3),
        "taken_over_at": to_timestamp(answer.at) if answer else None,
        "triage": post.triage,
        "risk": post.risk,
        "model_version": post.model_version,
        "is_audit": post.is_audit,
        "community": post.community,
        "import_seq": post.import_seq,
        "seq": shown.seq if shown else 0,
    }


def _add_words(session: Session, rows: Sequence[dict[str, object]]) -> None:
    for start in range(0, len(rows), _N_POSTS):
        some = rows[start : start + _N_POSTS]
        texts = select(PostText.post_id, PostText.text).where(PostText.post_id.in_([row["post_id"] for row in some]))
        notes = select(Note.event_seq, Note.text).where(Note.event_seq.in_([row["seq"] for row in some]))
        by_post, by_event = dict(session.execute(texts).all()), dict(session.execute(notes).all())
        for row in some:
            row["text"], row["note"] = by_post.get(str(row["post_id"])), by_event.get(int(str(row["seq"])))


def _validate_format(file_format: str) -> None:
    if file_format not in MEDIA_TYPES:
        message = f"an export is {', '.join(MEDIA_TYPES)}, found {file_format!r}"
        raise ConfigError(message)


def _validate_labels(labels: Mapping[str, str]) -> None:
    unknown = sorted(set(labels) - set(DECISIONS))
    if unknown or not labels or not all(label.strip() for label in labels.values()):
        message = (
            f"labels map decisions ({', '.join(DECISIONS)}) to labels of the taxonomy, such as no_concern=offmychest; "
            f"found {dict(labels)}"
        )
        raise ConfigError(message)
