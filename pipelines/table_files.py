"""Tables a command writes: where they may go, and writing them whole."""

import os
from pathlib import Path

import pandas as pd

from screening.exceptions import ConfigError

OUTPUT_SUFFIXES = (".csv", ".jsonl", ".parquet")


def validate_output(out_path: Path, *, overwrite: bool, inputs: tuple[Path, ...] = ()) -> None:
    """Refuse a place no table can be written to, before any work is done.

    Raises
    ------
    ConfigError
        If the ending is not known, the file exists and may not be replaced, or it is one of the inputs.
    """
    if out_path.suffix.lower() not in OUTPUT_SUFFIXES:
        found = out_path.suffix or "no ending"
        message = f"{out_path}: expected an output ending in {', '.join(OUTPUT_SUFFIXES)}, found {found!r}"
        raise ConfigError(message)
    if any(out_path.resolve() == path.resolve() for path in inputs):
        message = f"{out_path} is both input and output; name another output"
        raise ConfigError(message)
    if out_path.exists() and not (overwrite and out_path.is_file()):
        message = f"{out_path} exists already; name another output, or allow replacing it (--overwrite)"
        raise ConfigError(message)


def write_table_whole(table: pd.DataFrame, path: Path) -> None:
    """Write a table aside in the format its name asks for, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    try:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(aside, index=False)
        elif path.suffix.lower() == ".jsonl":
            table.to_json(aside, orient="records", lines=True, force_ascii=False, double_precision=15)
        else:
            table.to_csv(aside, index=False)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def put_in_place(aside: Path, path: Path) -> None:
    """Rename a finished file so that a power cut leaves either all of it or nothing under its name."""
    _flush_to_disk(aside)
    aside.replace(path)
    _flush_to_disk(path.parent)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
