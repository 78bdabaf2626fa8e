"""Refuses files that may hold a person's text or name before they leave the run folder."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from screening.exceptions import MissingArtifactError, SchemaError

# Column names under which the shipped readers know text and authors.
PERSONAL_COLUMNS = frozenset({"text", "body", "selftext", "title", "author", "author_id", "username", "user"})
DATA_FOLDER = "data"
DATA_CARD = "data_card.json"  # counts and digests only; the one file of the data folder that may be shown
DATABASE_SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3", ".db-wal", ".db-shm"})


def validate_shareable(path: Path) -> tuple[Path, ...]:
    """List the files of a folder (or one file), or refuse if one of them may hold post text or an author.

    Parameters
    ----------
    path : Path
        A folder, searched to any depth, or one file.

    Returns
    -------
    tuple of Path
        The files, sorted; empty for an empty folder.

    Raises
    ------
    MissingArtifactError
        If there is nothing at ``path``.
    SchemaError
        If a file lies in a ``data`` folder (except ``data_card.json``), is a database, or is a table with a column
        such as ``text`` or ``author_id``. Every such file is listed, by name.

    Notes
    -----
    This looks at places and column names, not at contents: it catches mistakes, it does not search for text.
    """
    if not path.exists():
        message = f"expected a file or folder at {path}, found nothing; run the stage that writes it first"
        raise MissingArtifactError(message)
    files = tuple(sorted(file for file in path.rglob("*") if file.is_file())) if path.is_dir() else (path,)
    refused = [f"{file.name}: {reason}" for file in files if (reason := _find_reason(file, path))]
    if refused:
        message = (
            "expected files without post text or authors, found:\n  "
            + "\n  ".join(refused)
            + "\nlog the report, tables and cards instead; posts stay in the run's data folder"
        )
        raise SchemaError(message)
    return files


def _find_reason(file: Path, root: Path) -> str | None:
    """Say why a file may not leave, or ``None``."""
    if DATA_FOLDER in _list_folders(file, root) and file.name != DATA_CARD:
        return "lies in a data folder"
    if file.suffix.lower() in DATABASE_SUFFIXES:
        return "is a database"
    found = sorted(PERSONAL_COLUMNS.intersection(name.strip().lower() for name in _read_column_names(file)))
    return f"has column {', '.join(found)}" if found else None


def _list_folders(file: Path, root: Path) -> tuple[str, ...]:
    """List the folders a file lies in, from the one that was named; of a single file, its own if posts are kept there.

    A run may be named data too: only the folder of its posts holds their card.
    """
    if file == root:
        return (file.parent.name,) if (file.parent / DATA_CARD).exists() else ()
    return (root.name, *file.relative_to(root).parts[:-1])


def _read_column_names(file: Path) -> Iterable[str]:
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        import pyarrow.parquet

        return list(pyarrow.parquet.read_schema(file).names)
    if suffix in {".csv", ".tsv"}:
        with file.open(encoding="utf-8", errors="replace", newline="") as stream:
            return next(csv.reader(stream, delimiter="\t" if suffix == ".tsv" else ","), [])
    if suffix in {".jsonl", ".ndjson"}:
        with file.open(encoding="utf-8", errors="replace") as stream:
            first = json.loads(stream.readline() or "{}")
        return list(first) if isinstance(first, dict) else []
    return []
