"""The folder of a scoring job: parts that are there whole or not at all, and a record of what they were made from."""

import re
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from pydantic import Field, ValidationError

from pipelines.folder_lock import LOCK
from pipelines.scoring.checking import Reject
from pipelines.scoring.inputs import Source
from pipelines.scoring.rejects import join_rejects, write_part_rejects
from pipelines.scoring.rows import Columns
from pipelines.table_files import put_in_place
from screening.data.file_readers import UNFINISHED
from screening.exceptions import ConfigError
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record
from screening.whole_writes import write_text_whole

RECORD, REJECTS = "_job.json", "_rejects.csv"
NO_DIGEST = "spark"  # of parts that Spark made: they are not cut by rows, so no later job goes on with them
_OWN_NAME = re.compile(r"[._]|part-\d{6,}\.parquet$")
_PART_KEY = b"screening.part"


class PartRecord(Record):
    """What one part holds; ``rows_digest`` is of the rows it was made from, rejects included."""

    rows_digest: str
    n_rows: int
    n_posts: int
    n_truncated: int
    n_by_triage: dict[str, int]

    @property
    def n_rejected(self) -> int:
        """Rows that could not be scored."""
        return self.n_rows - self.n_posts


class JobTotals(Record):
    """What a finished job came to."""

    finished_at: datetime
    n_parts: int
    n_rows: int
    n_posts: int
    n_truncated: int
    n_by_triage: dict[str, int]

    @property
    def n_rejected(self) -> int:
        """Rows that could not be scored."""
        return self.n_rows - self.n_posts


class JobRecord(Record):
    """What a job's scores were made from; ``totals`` is ``None`` until it is finished.

    ``skipped`` counts files in input folders that are no tables, by ending.
    """

    format_version: int = Field(1, ge=1, le=1)
    model_version: str
    is_synthetic: bool
    operating_points: tuple[OperatingPoint, ...]
    sources: tuple[Source, ...]
    skipped: dict[str, int] = Field(default_factory=dict)
    text_column: str
    id_column: str | None
    max_characters: int
    part_rows: int
    totals: JobTotals | None = None

    @property
    def columns(self) -> Columns:
        """Columns that are read."""
        return Columns(self.text_column, self.id_column)

    def is_unchanged(self, other: "JobRecord") -> bool:
        """Whether the files are as they were, by size and time; of a pipe nobody can tell."""
        return self.sources == other.sources and not any(source.is_stream for source in self.sources)

    def list_differences(self, other: "JobRecord") -> list[str]:
        """List what makes two jobs different ones; sizes and times of files do not, their rows are compared instead."""
        compared = ("model_version", "text_column", "id_column", "max_characters", "part_rows")
        found = [name for name in compared if getattr(self, name) != getattr(other, name)]
        kept = {"path", "format", "id_stem"}
        inputs = [[source.model_dump(include=kept) for source in job.sources] for job in (self, other)]
        return found + ["inputs"] * (inputs[0] != inputs[1])


class JobFolder:
    """Parts and record of one job; one process at a time works in it (:func:`pipelines.folder_lock.lock_folder`)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def is_finished(self) -> bool:
        """Whether every part is there."""
        return (self.root / RECORD).is_file() and not (self.root / UNFINISHED).exists()

    def locate_part(self, number: int) -> Path:
        """Name the file of one part, counted from 0."""
        return self.root / f"part-{number:06d}.parquet"

    def list_parts(self, first: int = 0) -> list[Path]:
        """List the parts that are there from a number on, in order."""
        return sorted(path for path in self.root.glob("part-*.parquet") if path >= self.locate_part(first))

    def refuse_foreign_files(self) -> None:
        """Refuse a folder with tables no job wrote there: readers of the folder would take their rows for scores.

        Raises
        ------
        ConfigError
        """
        foreign = [path.name for path in self.root.iterdir() if not _OWN_NAME.match(path.name)]
        if foreign:
            message = f"{self.root} holds {foreign[0]!r}, which no job writes there; move it out of the folder"
            raise ConfigError(message)

    def read_record(self) -> JobRecord | None:
        """Read the job's record, or ``None`` if the folder is empty.

        Raises
        ------
        ConfigError
            If the folder holds something else than a scoring job.
        """
        if not self.root.exists() or {path.name for path in self.root.iterdir()} <= {LOCK}:
            return None
        try:
            return JobRecord.model_validate_json((self.root / RECORD).read_bytes())
        except (OSError, ValidationError) as error:
            message = f"{self.root} is there and is not a folder of scores that this version reads; name another output"
            raise ConfigError(message) from error

    def begin(self, record: JobRecord, *, keep_parts: bool) -> None:
        """Mark the folder as unfinished and write the record; parts of an earlier job go before their record does."""
        (self.root / UNFINISHED).touch()
        if not keep_parts:
            self.drop_parts(0)
        write_text_whole(self.root / RECORD, record.model_dump_json(indent=2) + "\n")

    def drop_parts(self, first: int) -> None:
        """Delete parts, the last one first."""
        for path in reversed(self.list_parts(first)):
            path.unlink()
            _locate_rejects(path).unlink(missing_ok=True)

    def write_part(self, number: int, scores: pd.DataFrame, record: PartRecord, rejects: Iterable[Reject]) -> None:
        """Write a part's rejects, then its scores and counts: once the part appears, all of it is on the disk."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.locate_part(number)
        write_part_rejects(_locate_rejects(path), rejects)
        table = pa.Table.from_pandas(scores, preserve_index=False)
        aside = path.with_name(f".{path.name}.part")
        metadata = {**(table.schema.metadata or {}), _PART_KEY: record.model_dump_json()}
        pq.write_table(table.replace_schema_metadata(metadata), aside)
        put_in_place(aside, path)

    def read_part(self, number: int) -> PartRecord | None:
        """Read what a part holds, or ``None`` if it or its rejects are not there."""
        path = self.locate_part(number)
        if not path.is_file():
            return None
        record = _read_part_record(path)
        return record if record.n_rejected == 0 or _locate_rejects(path).is_file() else None

    def read_ids(self, number: int) -> list[str]:
        """Read the ids of the posts of one part."""
        import pyarrow.parquet as pq

        ids: list[str] = pq.read_table(self.locate_part(number), columns=["post_id"])["post_id"].to_pylist()
        return ids

    def finish(self, record: JobRecord) -> JobRecord:
        """Write rejects and totals, then take the mark off."""
        paths = self.list_parts()
        parts = [_read_part_record(path) for path in paths]
        lists = [_locate_rejects(path) for path, part in zip(paths, parts, strict=True) if part.n_rejected]
        join_rejects(lists, self.root / REJECTS)
        finished = record.model_copy(update={"totals": _add_up(parts)})
        write_text_whole(self.root / RECORD, finished.model_dump_json(indent=2) + "\n")
        (self.root / UNFINISHED).unlink(missing_ok=True)
        return finished

    def is_whole(self, totals: JobTotals) -> bool:
        """Whether the parts and rejects of a finished job are all there, by the counts in their footers."""
        parts = [self.read_part(number) for number in range(totals.n_parts)]
        kept = [part for part in parts if part is not None]
        has_all = len(kept) == totals.n_parts == len(self.list_parts())
        has_rejects = totals.n_rejected == 0 or (self.root / REJECTS).is_file()
        counted = _add_up(kept).model_copy(update={"finished_at": totals.finished_at})
        return has_all and has_rejects and counted == totals

    def remove(self) -> None:
        """Delete the folder and everything in it; under its name it is there whole or not at all."""
        old = self.root.with_name(f"{self.root.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        self.root.rename(old)
        shutil.rmtree(old)


def _locate_rejects(part: Path) -> Path:
    """Name the file of a part's rejects; readers of the folder leave it out, as it begins with ``_``."""
    return part.with_name(f"_{part.stem}.rejects.csv")


def _add_up(parts: Sequence[PartRecord]) -> JobTotals:
    levels = pd.DataFrame([part.n_by_triage for part in parts]).fillna(0).sum().astype(int)
    return JobTotals(
        finished_at=datetime.now(UTC),
        n_parts=len(parts),
        n_rows=sum(part.n_rows for part in parts),
        n_posts=sum(part.n_posts for part in parts),
        n_truncated=sum(part.n_truncated for part in parts),
        n_by_triage={str(level): int(n) for level, n in levels.items()},
    )


def _read_part_record(path: Path) -> PartRecord:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return PartRecord.model_validate_json(pq.read_schema(path).metadata[_PART_KEY])
    except (pa.ArrowException, OSError, KeyError, TypeError, ValidationError) as error:
        message = f"{path} is not a part that this command wrote, or is damaged; delete it and run the command again"
        raise ConfigError(message) from error
