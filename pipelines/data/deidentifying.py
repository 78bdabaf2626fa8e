"""A copy of a file of posts without direct identifiers, row by row, everything else as it was."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from pipelines.table_files import put_in_place
from screening.data.deidentify import remove_identifiers, validate_region
from screening.exceptions import ConfigError, DataAccessError, SchemaError

Replace = Callable[[object, int], object]
ROWS_PER_BATCH = 1_000
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")


@dataclass
class Copied:
    """How many posts were read and changed, and how many identifiers of each kind replaced."""

    n_posts: int = 0
    n_changed: int = 0
    n_replaced: Counter[str] = field(default_factory=Counter)


def copy_without_identifiers(
    source: Path, out: Path, text_column: str, *, region: str | None, on_progress: Callable[[int], None]
) -> Copied:
    """Copy a CSV, TSV, JSONL or Parquet file, its posts without direct identifiers; whole or not at all.

    Nobody but who writes the copy can read it.

    Parameters
    ----------
    source, out : Path
        Of one format, which their endings name.
    text_column : str
        A text, or nothing, in every row.
    region : str, optional
        As :func:`~screening.data.deidentify.remove_identifiers` takes it.
    on_progress : callable
        Called as ``on_progress(n_posts)``.

    Raises
    ------
    ConfigError
        If the formats differ or are not known, or phone numbers cannot be looked for.
    DataAccessError
        If the source cannot be opened.
    SchemaError
        If it cannot be read, lacks the column, or a cell of it is no text; rows are named by number.
    """
    validate_region(region)
    ending = source.suffix.lower()
    copy = _copy_parquet if ending == ".parquet" else _copy_lines if ending in _LINES else _copy_table
    if ending not in (".parquet", *_LINES, *_DELIMITERS) or out.suffix.lower() != ending:
        message = (
            f"expected two files of one ending (.csv, .tsv, .jsonl or .parquet), found {source.name} and {out.name}"
        )
        raise ConfigError(message)
    if not source.is_file():
        message = f"{source}: expected a file of posts, found none"
        raise DataAccessError(message)
    copied = Copied()

    def replace(text: object, row: int) -> object:
        copied.n_posts = row
        if row % ROWS_PER_BATCH == 0:
            on_progress(row)
        if text is None:
            return None
        if not isinstance(text, str):
            message = f"{source}: expected text in column {text_column!r}, found something else in row {row:,}"
            raise SchemaError(message)
        changed, found = remove_identifiers(text, region=region)
        copied.n_replaced.update(found)
        copied.n_changed += bool(found)
        return changed

    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.part")
    aside.unlink(missing_ok=True)
    try:
        aside.touch(mode=0o600, exist_ok=False)  # before there is a text in it; the name it gets keeps the mode
        copy(source, aside, text_column, replace)
        put_in_place(aside, out)
    finally:
        aside.unlink(missing_ok=True)
    return copied


def _copy_table(source: Path, aside: Path, column: str, replace: Replace) -> None:
    delimiter = _DELIMITERS[source.suffix.lower()]
    csv.field_size_limit(2**31 - 1)  # a long post; Python's own limit is 131,072
    with _open_text(source) as read, aside.open("w", encoding="utf-8", newline="") as write:
        rows = csv.reader(read, delimiter=delimiter)
        writer = csv.writer(write, delimiter=delimiter, lineterminator="\n")
        header = next(rows, [])
        place = _find_column(header, column, source)
        writer.writerow(header)
        for i, row in enumerate(rows, start=1):
            if not row:
                continue
            if len(row) != len(header):
                message = f"{source}: expected {len(header)} cells in every row, found {len(row)} in row {i:,}"
                raise SchemaError(message)
            row[place] = str(replace(row[place], i))
            writer.writerow(row)


def _copy_lines(source: Path, aside: Path, column: str, replace: Replace) -> None:
    with _open_text(source) as read, aside.open("w", encoding="utf-8") as write:
        for i, line in enumerate(read, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict) or column not in record:
                message = f"{source}: expected a JSON object with {column!r} in every line, found none in line {i:,}"
                raise SchemaError(message)
            record[column] = replace(record[column], i)
            write.write(_write_json(record) + "\n")


def _write_json(record: dict[str, object]) -> str:
    """Write characters as they are, unless one is half of a pair, which only an escape can hold."""
    written = json.dumps(record, ensure_ascii=False)
    return json.dumps(record) if _HALF_CHARACTER.search(written) else written


def _copy_parquet(source: Path, aside: Path, column: str, replace: Replace) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source)
    except (OSError, pa.ArrowInvalid) as error:
        message = f"{source}: expected a Parquet file, found something else"
        raise SchemaError(message) from error
    with file, pq.ParquetWriter(aside, file.schema_arrow) as writer:
        place = _find_column(file.schema_arrow.names, column, source)
        kept, n_read = file.schema_arrow.field(place), 0
        for batch in file.iter_batches(ROWS_PER_BATCH):
            texts = [replace(text, n_read + i) for i, text in enumerate(batch.column(place).to_pylist(), start=1)]
            n_read += len(texts)
            writer.write_batch(batch.set_column(place, kept, pa.array(texts, type=kept.type)))


def _find_column(names: list[str], column: str, source: Path) -> int:
    if column not in names:
        from screening.data.file_readers import show_columns

        message = f"{source} has no column {column!r}; columns: {show_columns(names)}. Name it with --text-column"
        raise SchemaError(message)
    return names.index(column)


@contextmanager
def _open_text(source: Path) -> Iterator[TextIO]:
    """Open UTF-8, with or without BOM; what is no such text is refused without a quote of it."""
    try:
        stream = source.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        message = f"{source} cannot be read ({type(error).__name__})"
        raise DataAccessError(message) from error
    with stream:
        try:
            yield stream
        except (UnicodeDecodeError, csv.Error) as error:
            message = f"{source}: expected UTF-8 and whole rows, found something else"
            raise SchemaError(message) from error
