"""Scoring the parts of a job that are not there yet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from pipelines.scoring.checking import check_rows, compute_rows_digest, cut_parts
from pipelines.scoring.job_folder import NO_DIGEST, JobFolder, JobRecord, PartRecord
from pipelines.scoring.job_progress import JobProgress
from pipelines.scoring.output import add_provenance
from pipelines.scoring.rows import Row, read_rows
from pipelines.scoring.seen_ids import SeenIds
from screening.exceptions import SchemaError

if TYPE_CHECKING:
    from screening.scoring import Screener


@dataclass(frozen=True)
class JobParts:
    """The parts of a job in its folder.

    ``keeps_earlier`` says whether those that are there are of this job; ``overwrite`` whether they may go where the
    rows they were made from have changed.
    """

    folder: JobFolder
    record: JobRecord
    keeps_earlier: bool
    overwrite: bool

    def take_earlier(self, number: int, digest: str) -> PartRecord | None:
        """Take a part that was made from the same rows.

        Raises
        ------
        SchemaError
            If a part was made from other rows and may not go.
        """
        found = self.folder.read_part(number) if self.keeps_earlier else None
        if found is None or found.rows_digest == digest:
            return found
        self.refuse_or_drop(number, is_by_spark=found.rows_digest == NO_DIGEST)
        return None

    def drop_after(self, n_parts: int) -> None:
        """Drop parts of rows that are no longer there, or refuse to; arguments as of :meth:`take_earlier`."""
        if self.keeps_earlier and self.folder.list_parts(n_parts):
            self.refuse_or_drop(n_parts)

    def refuse_or_drop(self, number: int, *, is_by_spark: bool = False) -> None:
        """Drop a part and those behind it if they may go, else refuse."""
        if not self.overwrite:
            changed, by_spark = "from other rows: an input changed since", "by Spark: its parts cannot be gone on with"
            message = (
                f"{self.folder.list_parts(number)[0]} was made {by_spark if is_by_spark else changed}; name another "
                "output, or allow replacing what changed (--overwrite)"
            )
            raise SchemaError(message)
        self.folder.drop_parts(number)


def score_missing_parts(parts: JobParts, load_screener: "Callable[[], Screener]", progress: JobProgress) -> None:
    """Read all rows, part by part, and score those parts that are not there.

    Raises
    ------
    DataAccessError, SchemaError
        See :func:`pipelines.scoring.job.score_posts`.
    """
    seen, screener = SeenIds(), None
    number = -1
    for number, rows in enumerate(cut_parts(_read_all(parts.record, progress), parts.record.part_rows)):
        digest = compute_rows_digest(rows)
        earlier = parts.take_earlier(number, digest)
        if earlier is not None:
            seen.mark_repeats(parts.folder.read_ids(number))
            progress.end_part(earlier.n_posts, is_new=False)
            continue
        if screener is None:
            screener = load_screener()
            parts.folder.begin(parts.record, keep_parts=parts.keeps_earlier)
        progress.begin_part()
        checked = check_rows(rows, seen, max_characters=parts.record.max_characters)
        scores = screener.score(checked.texts, checked.post_ids, progress.report_scored)
        made = describe_part(scores, len(rows), digest)
        scores = add_provenance(scores, parts.record.model_version, parts.record.operating_points)
        parts.folder.write_part(number, scores, made, checked.rejects)
        progress.end_part(made.n_posts, is_new=True)
    if number < 0:
        message = f"{parts.record.sources[0].name}: expected at least one row of posts, found none"
        raise SchemaError(message)
    parts.drop_after(number + 1)


def _read_all(record: JobRecord, progress: JobProgress) -> Iterator[Row]:
    for place, source in enumerate(record.sources):
        yield from read_rows(source, record.columns, partial(progress.report_read, place))


def describe_part(scores: pd.DataFrame, n_rows: int, rows_digest: str) -> PartRecord:
    """Count what a part holds."""
    return PartRecord(
        rows_digest=rows_digest,
        n_rows=n_rows,
        n_posts=len(scores),
        n_truncated=int(scores["is_truncated"].sum()),
        n_by_triage={str(level): int(n) for level, n in scores["triage"].value_counts().items()},
    )
