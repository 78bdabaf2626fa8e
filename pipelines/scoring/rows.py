"""Rows of one source, one at a time in constant memory; a line that cannot be read is a row with a fault."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pipelines.scoring.inputs import Source
from pipelines.scoring.lines import TOO_LONG, Line, read_lines
from pipelines.scoring.parquet_rows import read_parquet_columns, read_parquet_rows
from screening.data.sources import choose_id_column, require_column
from screening.exceptions import SchemaError

N_PEEKED = 1_000  # JSONL objects looked at to learn the names of the columns

Report = Callable[[float], None]


class Row(NamedTuple):
    """One row as the file gives it.

    ``number`` counts the rows of the file from 1, ``line`` its lines (``None`` in Parquet). Either ``fault`` says why
    the row cannot be read, or ``post_id`` and ``text`` hold its cells.
    """

    source: str
    number: int
    line: int | None
    post_id: str
    text: object
    fault: str | None = None


class Columns(NamedTuple):
    """Names of the columns to read; without ``post_id`` the ids are made from the file's name and the row."""

    text: str
    post_id: str | None


def read_rows(source: Source, columns: Columns, on_read: Report) -> Iterator[Row]:
    """Read the rows of a source.

    Parameters
    ----------
    source : Source
    columns : Columns
        As asked for: a file with a column ``post_id`` uses it if no other id is asked for.
    on_read : callable
        Called now and then with the fraction of the source that has been read.

    Raises
    ------
    DataAccessError, SchemaError
        Before the first row, if the source cannot be opened or lacks a column; later if a Parquet file is damaged.
    """
    readers = {"jsonl": _read_jsonl, "parquet": _read_parquet}
    read = readers.get(source.format, _read_csv)
    cells = read(source, columns, on_read)
    for number, (line, post_id, text, fault) in enumerate(cells, start=1):
        name = f"{source.id_stem}-{number}" if post_id is _NO_COLUMN else _write_id(post_id)
        yield Row(source.name, number, line, name, text, fault)


def validate_columns(source: Source, columns: Columns) -> None:
    """Open a file and refuse it if it cannot be read or lacks a column.

    Raises
    ------
    DataAccessError, SchemaError
    """
    next(read_rows(source, columns, lambda _: None), None)


_Cells = tuple[int | None, object, object, str | None]  # line, id, text, fault
_NO_COLUMN = object()


def _write_id(value: object) -> str:
    """Write an id as :func:`screening.data.sources.select_columns` does; what is no single value becomes empty."""
    if isinstance(value, list | dict) or value is None or value != value:  # noqa: PLR0124  # NaN
        return ""
    return str(value).strip()


def _choose_columns(source: Source, columns: Columns, found: list[str]) -> Columns:
    require_column(found, columns.text, source.name)
    chosen = Columns(columns.text, choose_id_column(found, columns.post_id, columns.text, source.name))
    for name in filter(None, chosen):
        if found.count(name) > 1:
            message = f"{source.name}: expected one column {name!r}, found {found.count(name)}; rename the others"
            raise SchemaError(message)
    return chosen


def _read_csv(source: Source, columns: Columns, on_read: Report) -> Iterator[_Cells]:
    from pipelines.scoring.csv_records import read_records

    records = read_records(source, on_read)
    header = next(records, None)
    if header is None:
        return
    if header.fault is not None:
        require_column([], columns.text, source.name)
    names = header.cells
    chosen = _choose_columns(source, columns, names)
    text_at = names.index(chosen.text)
    id_at = None if chosen.post_id is None else names.index(chosen.post_id)
    for record in records:
        cells, fault = record.cells, record.fault
        if fault is None and any(cells[len(names) :]):  # a comma at the end of each line adds an empty cell
            fault = f"row has {len(cells)} cells, the header {len(names)}; quote cells that hold commas or line breaks"
        if fault is not None:
            yield record.line, _NO_COLUMN if id_at is None else None, None, fault
            continue
        text = cells[text_at] if text_at < len(cells) else None
        post_id = _NO_COLUMN if id_at is None else cells[id_at] if id_at < len(cells) else None
        yield record.line, post_id, text, None


def _read_jsonl(source: Source, columns: Columns, on_read: Report) -> Iterator[_Cells]:
    lines = (line for line in read_lines(source, on_read, newline="\n") if line.text.strip())
    peeked = [_parse_object(line) for _, line in zip(range(N_PEEKED), lines, strict=False)]
    if not peeked:
        return
    found = list(dict.fromkeys(str(name) for _, record, _ in peeked for name in record))
    chosen = _choose_columns(source, columns, found)
    for parsed in (peeked, map(_parse_object, lines)):
        for line_number, record, fault in parsed:
            post_id = record.get(chosen.post_id) if chosen.post_id else record.get("post_id", _NO_COLUMN)
            yield line_number, post_id, record.get(chosen.text), fault


def _parse_object(line: Line) -> tuple[int, dict[str, Any], str | None]:
    if line.is_cut:
        return line.number, {}, TOO_LONG
    try:
        record = json.loads(line.text)
    except (ValueError, RecursionError):
        return line.number, {}, "line is not valid JSON"
    if not isinstance(record, dict):
        return line.number, {}, f"line holds a {type(record).__name__}, not a JSON object"
    return line.number, record, None


def _read_parquet(source: Source, columns: Columns, on_read: Report) -> Iterator[_Cells]:
    chosen = _choose_columns(source, columns, read_parquet_columns(source))
    for post_id, text in read_parquet_rows(source, chosen.text, chosen.post_id, on_read):
        yield None, _NO_COLUMN if chosen.post_id is None else post_id, text, None
