"""Which files a job reads, in which order, and which of their columns."""

import os
from collections import Counter
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Literal, get_args

from screening.data.file_readers import TABLE_SUFFIXES, count_skipped, list_tables
from screening.data.sources import choose_id_stems
from screening.exceptions import ConfigError, DataAccessError, SchemaError
from screening.types import Record

STANDARD_INPUT = "-"

Format = Literal["csv", "tsv", "jsonl", "parquet"]
FORMAT_BY_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


class Source(Record):
    """One file of a job; ``path`` is ``None`` for standard input.

    ``id_stem`` begins the ids of its posts where no column gives one; ``size_bytes`` and ``modified_ns`` are the file's
    when the job began.
    """

    path: Path | None
    format: Format
    id_stem: str
    size_bytes: int = 0
    modified_ns: int = 0

    @property
    def is_stream(self) -> bool:
        """Whether it can be read only once: standard input, or a pipe."""
        return self.path is None or not self.path.is_file()

    @property
    def name(self) -> str:
        """What the file is called in errors and among the rejects."""
        return "standard input" if self.path is None else str(self.path)


def find_sources(patterns: Sequence[str], text_format: str | None = None) -> tuple[Source, ...]:
    """Find the files of a job.

    Parameters
    ----------
    patterns : sequence of str
        Files, folders (every table in them), glob patterns such as ``posts/*.csv``, or ``-`` for standard input. A file
        that is named twice is read once.
    text_format : {"csv", "tsv", "jsonl", "parquet"}, optional
        Format of standard input, and of files whose ending tells none.

    Returns
    -------
    tuple of Source
        In the order given; the files of a folder or pattern by name. The order decides which part a post stands in.

    Raises
    ------
    ConfigError
        If a format is missing or unknown, or standard input stands beside files.
    DataAccessError, SchemaError
        If a file is not there, or a pattern or folder gives none.
    """
    if text_format is not None and text_format not in get_args(Format):
        message = f"expected --format to be one of {', '.join(get_args(Format))}, found {text_format!r}"
        raise ConfigError(message)
    if STANDARD_INPUT in patterns:
        return (_describe_standard_input(patterns, text_format),)
    found = [path for pattern in patterns for path in _expand(pattern)]
    files = list({path.resolve(): path for path in found}.values())
    stems = choose_id_stems(files)
    return tuple(_describe_file(path, stem, text_format) for path, stem in zip(files, stems, strict=True))


def count_skipped_files(patterns: Sequence[str]) -> dict[str, int]:
    """Count the files in the folders of a job that are no tables and are not read, by ending."""
    named = [Path(name) for pattern in patterns for name in ([pattern] if Path(pattern).exists() else _match(pattern))]
    folders = {path.resolve() for path in named if path.is_dir()}
    return dict(sorted(sum((count_skipped(folder) for folder in folders), Counter[str]()).items()))


def _match(pattern: str) -> list[str]:
    return sorted(glob(pattern, recursive=True))  # noqa: PTH207  # absolute patterns too


def _expand(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_dir():
        return list_tables(path)
    if path.exists():
        return [path]
    found = [Path(name) for name in _match(pattern)]
    files = [file for one in found for file in (list_tables(one) if one.is_dir() else [one])]
    if not files:
        message = f"{pattern}: expected a file, a folder or a pattern such as 'posts/*.csv', found nothing of that name"
        raise DataAccessError(message)
    return files


def _describe_file(path: Path, id_stem: str, text_format: str | None) -> Source:
    found = FORMAT_BY_SUFFIX.get(path.suffix.lower(), text_format)
    if found is None:
        message = (
            f"{path}: expected a file ending in {', '.join(TABLE_SUFFIXES)}, found {path.suffix or 'no ending'!r}; "
            "say what it is with --format"
        )
        raise ConfigError(message)
    try:
        state = path.stat()
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror or type(error).__name__})"
        raise DataAccessError(message) from error
    if str(path.resolve()) != os.fsencode(path.resolve()).decode("utf-8", "replace"):
        message = f"{str(path)!a}: expected a path in UTF-8, as it is written into records; rename the file or folder"
        raise SchemaError(message)
    return Source(
        path=path.resolve() if path.is_file() else path,  # a pipe has no other name
        format=found,
        id_stem=id_stem,
        size_bytes=state.st_size,
        modified_ns=state.st_mtime_ns,
    )


def _describe_standard_input(patterns: Sequence[str], text_format: str | None) -> Source:
    if len(patterns) > 1:
        message = f"standard input (-) is read alone, found {len(patterns) - 1} other inputs; score them in another job"
        raise ConfigError(message)
    if text_format not in {"csv", "tsv", "jsonl"}:
        message = f"standard input (-) needs --format csv, tsv or jsonl, found {text_format or 'none'}"
        raise ConfigError(message)
    return Source(path=None, format=text_format, id_stem="stdin")
