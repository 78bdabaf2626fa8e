"""Score a file of new posts with a screener bundle."""

import time
from pathlib import Path

import pandas as pd
from rich.console import Console

from pipelines.progress import show_progress
from screening.config import DataConfig
from screening.exceptions import ConfigError
from screening.types import Record

OUTPUT_SUFFIXES = (".csv", ".jsonl", ".parquet")


class ScoreSummary(Record):
    """What scoring a file came to; ``n_by_triage`` counts posts per triage level."""

    out_path: Path
    model_version: str
    is_synthetic: bool
    n_posts: int
    n_by_triage: dict[str, int]
    n_truncated: int
    seconds: float

    @property
    def posts_per_second(self) -> float:
        """Throughput of scoring alone, loading left out."""
        return self.n_posts / self.seconds if self.seconds > 0 else float("inf")


def score_file(
    input_path: Path,
    bundle_dir: Path,
    out_path: Path,
    *,
    text_column: str = "text",
    id_column: str | None = None,
    overwrite: bool = False,
    progress: bool = True,
    console: Console | None = None,
) -> ScoreSummary:
    """Score posts of a CSV, TSV, JSONL or Parquet file and write the score table.

    Parameters
    ----------
    input_path : Path
        Posts; other columns than text and id are not read.
    bundle_dir : Path
        See :meth:`screening.scoring.Screener.load`.
    out_path : Path
        ``.csv``, ``.jsonl`` or ``.parquet``; written whole or not at all. Holds no text.
    text_column, id_column : str
        Without an id column, posts are named ``<file stem>-<row>``, rows counted from 1.
    overwrite : bool
        Replace an existing ``out_path``.
    progress : bool
        Draw a progress bar (on a terminal).
    console : rich.console.Console, optional

    Returns
    -------
    ScoreSummary

    Raises
    ------
    ConfigError
        If ``out_path`` exists, has another ending, or is the input.
    DataAccessError, SchemaError
        See :func:`screening.data.preparation.prepare_new_posts`; bad rows are listed by id.
    BundleError, NotCalibratedError
        See :meth:`screening.scoring.Screener.load`.
    """
    validate_output(out_path, overwrite=overwrite, inputs=(input_path,))
    from screening.data.preparation import prepare_new_posts
    from screening.scoring import Screener

    posts = prepare_new_posts(
        input_path, text_column=text_column, id_column=id_column, max_characters=DataConfig().max_characters
    )
    screener = Screener.load(bundle_dir)
    started = time.monotonic()
    with show_progress(choose_console(console, is_shown=progress), input_path.name) as on_progress:
        scores = screener.score(posts["text"].tolist(), posts["post_id"].tolist(), on_progress)
    seconds = time.monotonic() - started
    write_table_whole(scores.assign(model_version=screener.version), out_path)
    counts = scores["triage"].value_counts()
    return ScoreSummary(
        out_path=out_path,
        model_version=screener.version,
        is_synthetic=screener.manifest.is_synthetic,
        n_posts=len(scores),
        n_by_triage={str(level): int(n) for level, n in counts.items()},
        n_truncated=int(scores["is_truncated"].sum()),
        seconds=seconds,
    )


def choose_console(console: Console | None, *, is_shown: bool) -> Console:
    """Give the console progress is drawn on: standard error by default, a silent one where none is wanted."""
    return console or Console(stderr=True) if is_shown else Console(quiet=True)


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
