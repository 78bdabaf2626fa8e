"""Rows that can be scored, and rows that are rejected with the reason; no text is in a reason."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import pandas as pd

from pipelines.scoring.rows import Row
from pipelines.scoring.seen_ids import SeenIds
from screening.data.cleaning import clean_text
from screening.data.schema import NOT_UNIQUE, collect_failures, is_showable
from screening.types import Record

MAX_PART_CHARACTERS = 4_000_000  # of text; long posts make parts of fewer rows


class Reject(Record):
    """A row that was not scored; ``post_id`` is left out where it may be a text or an author."""

    input: str
    row: int
    line: int | None
    post_id: str | None
    reason: str


class CheckedRows(NamedTuple):
    """Rows of one part: cleaned posts to score, and rejects."""

    post_ids: list[str]
    texts: list[str]
    rejects: list[Reject]


def cut_parts(rows: Iterable[Row], n_rows: int) -> Iterator[list[Row]]:
    """Cut a stream of rows into parts; the same rows are cut at the same places every time."""
    part: list[Row] = []
    n_characters = 0
    for row in rows:
        part.append(row)
        n_characters += len(row.text) if isinstance(row.text, str) else 0
        if len(part) >= n_rows or n_characters >= MAX_PART_CHARACTERS:
            yield part
            part, n_characters = [], 0
    if part:
        yield part


def compute_rows_digest(rows: Sequence[Row]) -> str:
    """Compute a digest of everything in a part's rows, by which it is known again when a job goes on."""
    digest = sha256()
    for row in rows:
        digest.update(repr(row[1:]).encode())
    return digest.hexdigest()


def check_rows(rows: Sequence[Row], seen: SeenIds, *, max_characters: int) -> CheckedRows:
    """Clean the rows of a part and sort out those no screener can score.

    Of rows with the same id the first that can be scored is kept, over all parts of the job.
    """
    reasons = {place: row.fault for place, row in enumerate(rows) if row.fault is not None}
    cells = {"post_id": [row.post_id for row in rows], "text": [row.text for row in rows]}
    posts = pd.DataFrame(cells, dtype=object).drop(index=list(reasons))
    posts = _drop_failing(posts, reasons, max_characters)
    posts = posts.assign(text=posts["text"].map(clean_text).astype(object))
    posts = _drop_failing(posts, reasons, max_characters, when=" after cleaning")
    is_repeat = seen.mark_repeats(posts["post_id"].tolist())
    reasons |= dict.fromkeys(posts.index[is_repeat], NOT_UNIQUE)
    kept = posts[~is_repeat]
    rejects = [_reject(rows[place], reason) for place, reason in sorted(reasons.items())]
    return CheckedRows(kept["post_id"].tolist(), kept["text"].tolist(), rejects)


def _drop_failing(posts: pd.DataFrame, reasons: dict[int, str], max_characters: int, when: str = "") -> pd.DataFrame:
    """Drop rows that break the schema, and note the first reason of each."""
    if posts.empty:
        return posts
    failures = collect_failures(posts, max_characters=max_characters)
    found = {
        int(posts.index[place]): reason + when
        for reason, places in failures.items()
        if reason != NOT_UNIQUE  # the first of several is kept
        for place in places
    }
    reasons |= found
    return posts.drop(index=list(found))


def _reject(row: Row, reason: str) -> Reject:
    is_shown = reason != NOT_UNIQUE and is_showable(row.post_id)  # ids that repeat may be authors
    return Reject(
        input=row.source, row=row.number, line=row.line, post_id=row.post_id if is_shown else None, reason=reason
    )
