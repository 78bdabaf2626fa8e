"""Lists of post ids from files: one id a line, or a table with a column of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.review.services.tables import require_columns
from screening.data.file_readers import TABLE_SUFFIXES, decode_strictly, read_table
from screening.data.schema import is_missing
from screening.exceptions import DataAccessError, SchemaError

_N_IDS = 500  # in one query


def read_id_list(path: Path) -> list[str]:
    """Read the ids of posts, each once, in the order of the file.

    Parameters
    ----------
    path : Path
        A table (``.csv``, ``.tsv``, ``.jsonl``, ``.parquet``) with a column ``post_id``; any other file has one id a
        line. Empty lines and cells are left out.

    Raises
    ------
    DataAccessError
        If the file cannot be opened.
    SchemaError
        If it cannot be read, has no column ``post_id``, or names no post.
    """
    if path.suffix.lower() in TABLE_SUFFIXES or path.is_dir():
        table = read_table(path)
        require_columns(table, ("post_id",), f"list {path}")
        cells = ["" if is_missing(cell) else str(cell) for cell in table["post_id"]]
    else:
        cells = _read_lines(path)
    ids = [cell.strip() for cell in cells]
    if not any(ids):
        message = f"{path}: expected post ids, one a line or in a column post_id, found none"
        raise SchemaError(message)
    return list(dict.fromkeys(filter(None, ids)))


def _read_lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror or type(error).__name__})"
        raise DataAccessError(message) from error
    return decode_strictly(path, content).split("\n")


def split_ids(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split ids into as many as one query may hold."""
    yield from (ids[start : start + _N_IDS] for start in range(0, len(ids), _N_IDS))
