"""Ids and texts of a Parquet file, a batch at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.scoring.inputs import Source
from screening.exceptions import DataAccessError, SchemaError

BATCH_ROWS = 4_096


def read_parquet_columns(source: Source) -> list[str]:
    """List the columns of a Parquet file.

    Raises
    ------
    DataAccessError, SchemaError
        If it cannot be read.
    """
    with _open(source) as file:
        return list(file.schema_arrow.names)


def read_parquet_rows(
    source: Source, text_column: str, id_column: str | None, on_read: Callable[[float], None]
) -> Iterator[tuple[object, object]]:
    """Read ``(id, text)`` row by row, the id ``None`` without an id column.

    Raises
    ------
    SchemaError
        If the text column holds something else than strings, or the file is damaged.
    """
    with _open(source) as file:
        _validate_text_type(file.schema_arrow.field(text_column).type, source, text_column)
        names = [text_column] if id_column is None else list(dict.fromkeys([text_column, id_column]))
        n_rows, n_read = file.metadata.num_rows, 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
            texts = _list_strings(batch.column(text_column))
            ids = [None] * len(texts) if id_column is None else _list_values(batch.column(id_column))
            yield from zip(ids, texts, strict=True)
            n_read += len(texts)
            on_read(n_read / n_rows)


@contextmanager
def _open(source: Source) -> Iterator[Any]:
    """Open a file; the names of errors of its reader stay here, whose messages could quote what the file holds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert source.path is not None, "Parquet is not read from standard input"  # noqa: S101  # find_sources refuses it
    try:
        with pq.ParquetFile(source.path, pre_buffer=False) as file:  # a buffer would grow to the whole file
            yield file
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        message = f"{source.name} cannot be read ({error.strerror or type(error).__name__})"
        raise DataAccessError(message) from error
    except (pa.ArrowException, OSError) as error:
        message = f"{source.name}: not a readable Parquet file, or damaged; write it again, or leave it out"
        raise SchemaError(message) from error


def _validate_text_type(found: Any, source: Source, name: str) -> None:
    import pyarrow as pa

    plain = found.value_type if pa.types.is_dictionary(found) else found
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    if not any(test(plain) for test in tests):
        message = f"{source.name}: expected strings in column {name!r}, found {plain}; name another with --text-column"
        raise SchemaError(message)


def _list_strings(column: Any) -> list[str | None]:
    """List strings; bytes that are no UTF-8 become lone surrogates, which no post may hold."""
    import pyarrow as pa

    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    if pa.types.is_null(plain.type):
        return [None] * len(plain)
    cells = plain.cast(pa.large_binary()).to_pylist()
    return [None if cell is None else cell.decode("utf-8", "surrogateescape") for cell in cells]


def _list_values(column: Any) -> list[object]:
    import pyarrow as pa

    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    is_text = pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type)
    return list(_list_strings(plain)) if is_text else list(plain.to_pylist())
