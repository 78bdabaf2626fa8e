"""Raw tables from CSV, TSV, JSONL and Parquet files, refused with the place of the fault."""

import io
import json
import os
import re
import warnings
from collections import Counter
from pathlib import Path

import pandas as pd

from screening.exceptions import DataAccessError, SchemaError

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")

UNFINISHED = "_UNFINISHED"  # stands in a folder of tables while a job still adds to it

_SHOWABLE_NAME = re.compile(r"\S{1,40}")
# Names that tell a header from a first post; no word that could well be a whole post.
_USUAL_NAMES = {
    "post_id", "id", "text", "body", "selftext", "content", "label", "author", "author_id", "date", "created",
    "created_at", "created_utc", "timestamp", "subreddit", "community", "triage", "model_version", "stratum",
    "decision",
}  # fmt: skip


def read_table(path: Path | str) -> pd.DataFrame:
    """Read one file, or the files of one folder, into a table whose cells are left as the file gives them.

    CSV and TSV cells are strings (``NA`` and ``null`` stay words); JSONL and Parquet cells keep their type.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.jsonl`` / ``.ndjson`` (UTF-8, with or without BOM) or ``.parquet``, or a folder of them
        (:func:`list_tables`), as ``screening score`` writes it.

    Returns
    -------
    pandas.DataFrame
        At least one row, object columns.

    Raises
    ------
    DataAccessError
        If the file cannot be opened.
    SchemaError
        If the file is not UTF-8, holds NUL bytes, cannot be parsed, or has no rows, or a folder is not finished.
    """
    path = Path(path)
    tables = [_read_file(file) for file in list_tables(path)] if path.is_dir() else [_read_file(path)]
    table = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    if table.empty:
        message = f"{path}: expected at least one row of posts, found none"
        raise SchemaError(message)
    return table


def list_tables(folder: Path) -> list[Path]:
    """List the tables in a folder and the folders in it, by name; names that begin with ``.`` or ``_`` are left out.

    Raises
    ------
    SchemaError
        If there is none, or a job still writes to the folder.
    DataAccessError
        If a folder cannot be read, or a link leads nowhere.
    """
    if (folder / UNFINISHED).exists():
        message = f"{folder} is not finished; run the command that writes it again, it goes on where it ended"
        raise SchemaError(message)
    tables = [path for path in _list_visible(folder) if _is_table(path)]
    if not tables:
        message = f"{folder}: expected a folder with files ending in {', '.join(TABLE_SUFFIXES)}, found none"
        raise SchemaError(message)
    return tables


def count_skipped(folder: Path) -> Counter[str]:
    """Count what :func:`list_tables` leaves out in a folder, by ending; linked folders are not followed."""
    left_out = [path for path in _list_visible(folder) if not _is_table(path)]
    return Counter("linked folder" if path.is_dir() else path.suffix or "no ending" for path in left_out)


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in TABLE_SUFFIXES and path.is_file()


def _list_visible(folder: Path) -> list[Path]:
    """List files and linked folders under a folder, by name, but hidden ones."""
    found = []
    for parent, folders, files in os.walk(folder, onerror=_refuse_unreadable):
        folders[:] = [name for name in folders if name[0] not in "._"]
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        found += [Path(parent, name) for name in [*linked, *files] if name[0] not in "._"]
    for path in found:
        if not path.exists():
            message = f"{path} is a link to a file that is not there; mend or remove it"
            raise DataAccessError(message)
    return sorted(found)


def _refuse_unreadable(error: OSError) -> None:
    message = f"{error.filename} cannot be read ({error.strerror}); make it readable, or leave it out"
    raise DataAccessError(message) from error


def _read_file(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        message = f"{path}: expected a file ending in {', '.join(TABLE_SUFFIXES)}, found {suffix or 'no ending'!r}"
        raise SchemaError(message)
    content = _read_bytes(path)
    if suffix == ".parquet":
        return _parse_parquet(path, content)
    if suffix in (".jsonl", ".ndjson"):
        return _parse_jsonl(path, decode_strictly(path, content))
    return _parse_csv(path, decode_strictly(path, content), separator="\t" if suffix == ".tsv" else ",")


def decode_strictly(path: Path, content: bytes) -> str:
    """Decode UTF-8 (a BOM is accepted); refuse other encodings and NUL bytes, naming byte and line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = (
            f"{path}: expected UTF-8, found byte 0x{content[error.start]:02x} at byte {error.start} (line {line}); "
            "save the file as UTF-8"
        )
        raise SchemaError(message) from error
    place = content.find(b"\x00")
    if place >= 0:
        line = content.count(b"\n", 0, place) + 1
        message = f"{path}: NUL byte at byte {place} (line {line}); the file is damaged or not plain text"
        raise SchemaError(message)
    return text


def show_columns(names: list[str]) -> str:
    """List column names for an error; none if no name is a usual one, for they may be the cells of a first post.

    Among usual names, one with spaces, hidden signs or over 40 characters may be a post and is not shown.

    Examples
    --------
    >>> show_columns(["post_id", "body"])
    'post_id, body'
    >>> show_columns(["t3_x1", "alice", "hopeless"])
    '3 columns, none with a usual name (does the first line hold the names of the columns?)'
    """
    if names and not any(name.strip().lower() in _USUAL_NAMES for name in names):
        return f"{len(names)} columns, none with a usual name (does the first line hold the names of the columns?)"
    shown = [name if _is_showable(name) else f"<name of {len(name)} characters>" for name in names[:20]]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _is_showable(name: str) -> bool:
    return _SHOWABLE_NAME.fullmatch(name) is not None and name.isprintable()


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror or type(error).__name__})"
        raise DataAccessError(message) from error


def _parse_csv(path: Path, text: str, *, separator: str) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would lose cells silently
        try:
            table = pd.read_csv(
                io.StringIO(text), sep=separator, dtype=object, keep_default_na=False, na_values=[], index_col=False
            )
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            message = (
                f"{path}: not a readable CSV file ({str(error)[:200]}); quote cells that hold commas or line breaks"
            )
            raise SchemaError(message) from error
        except pd.errors.EmptyDataError:
            return pd.DataFrame()
    return table.rename(columns=str)


def _parse_jsonl(path: Path, text: str) -> pd.DataFrame:
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # also of a number with more digits than Python reads
            message = (
                f"{path}: line {number} is not valid JSON, or too deep or with too long a number; "
                "one object per line is expected"
            )
            raise SchemaError(message) from error
        if not isinstance(record, dict):
            message = f"{path}: line {number} holds a {type(record).__name__}; one JSON object per line is expected"
            raise SchemaError(message)
        records.append(record)
    return pd.DataFrame(records, dtype=object)


def _parse_parquet(path: Path, content: bytes) -> pd.DataFrame:
    import pyarrow as pa

    try:
        table = pd.read_parquet(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"{path}: not a readable Parquet file"
        raise SchemaError(message) from error
    return table.reset_index(drop=table.index.name is None).astype(object).rename(columns=str)
