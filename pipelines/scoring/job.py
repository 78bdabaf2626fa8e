"""Score files of posts in parts; a job that was interrupted, even by a kill or a power cut, goes on where it ended."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field
from rich.console import Console

from pipelines.folder_lock import lock_folder
from pipelines.progress import choose_console
from pipelines.scoring.inputs import Source, count_skipped_files, find_sources
from pipelines.scoring.job_folder import JobFolder, JobRecord, JobTotals
from pipelines.scoring.job_progress import JobProgress, show_job
from pipelines.scoring.limits import MAX_REJECTED, PART_ROWS
from pipelines.scoring.parts import JobParts, score_missing_parts
from pipelines.scoring.places import Place, choose_place
from pipelines.scoring.rows import validate_columns
from screening.bundle import compute_version, load_manifest
from screening.config import DataConfig
from screening.exceptions import ConfigError
from screening.types import Record

if TYPE_CHECKING:
    from screening.scoring import Screener


class ScoreOptions(Record):
    """How a job reads its inputs, and what it may replace.

    ``part_rows`` is what an interruption may cost; ``text_format`` is the format of standard input and of files whose
    ending tells none; ``max_rejected`` is the fraction of rejected rows up to which a job :attr:`~ScoreSummary.is_met`.
    """

    text_column: str = "text"
    id_column: str | None = None
    text_format: str | None = None
    part_rows: int = Field(PART_ROWS, ge=1)
    max_rejected: float = Field(MAX_REJECTED, ge=0, le=1)
    overwrite: bool = False
    progress: bool = True


DEFAULTS = ScoreOptions()


class ScoreSummary(Record):
    """What a job came to; ``n_scored`` of its posts took ``seconds`` in this call, the others were scored before.

    ``skipped`` counts the files in input folders that are no tables, by ending.
    """

    place: Place
    model_version: str
    is_synthetic: bool
    totals: JobTotals
    max_rejected: float
    n_files: int
    skipped: dict[str, int]
    n_scored: int
    seconds: float

    @property
    def posts_per_second(self) -> float:
        """Throughput of this call, loading left out; 0 if it scored nothing."""
        return self.n_scored / self.seconds if self.seconds > 0 else 0.0

    @property
    def is_met(self) -> bool:
        """Whether few enough rows were rejected."""
        return self.totals.n_rejected <= self.max_rejected * self.totals.n_rows

    def describe_excess(self) -> str:
        """Say that too many rows were rejected, and what to do."""
        return (
            f"{self.totals.n_rejected:,} of {self.totals.n_rows:,} rows could not be scored, more than "
            f"{self.max_rejected:.1%}: nobody has screened them. See the reasons in {self.place.rejects}, mend the "
            "input and score it to another output, or allow as many (--max-rejected)"
        )


def score_posts(
    inputs: Sequence[str | Path],
    bundle_dir: Path,
    out_path: Path,
    options: ScoreOptions = DEFAULTS,
    *,
    console: Console | None = None,
    load_screener: "Callable[[Path], Screener] | None" = None,
    engine: Callable[[JobParts, Path, JobProgress], None] | None = None,
) -> ScoreSummary:
    """Score posts and write the score table, which holds no text.

    Parameters
    ----------
    inputs : sequence of str or Path
        See :func:`pipelines.scoring.inputs.find_sources`.
    bundle_dir : Path
        See :meth:`screening.scoring.Screener.load`.
    out_path : Path
        A folder of Parquet parts, each there as soon as it is scored; or a ``.csv``, ``.jsonl`` or ``.parquet`` file,
        there when the job is finished.
    options : ScoreOptions
    console : rich.console.Console, optional
    load_screener : callable, optional
        What loads the bundle once there is a part to score; by default :meth:`screening.scoring.Screener.load`.
    engine : callable, optional
        What scores the parts instead of this process, given parts, bundle and progress
        (:func:`pipelines.spark.engine.score_with_spark`).

    Returns
    -------
    ScoreSummary

    Raises
    ------
    ConfigError
        If ``out_path`` is taken: by something else, by a job of other inputs, options or bundle, or by a process that
        works on it now.
    DataAccessError, SchemaError
        If an input cannot be opened or lacks a column, none holds a row, or rows of an earlier job changed.
    BundleError, NotCalibratedError
        See :meth:`screening.scoring.Screener.load`.

    Notes
    -----
    A part is a function of its rows and known again by their digest: what is there already is read, not scored. No row
    is lost or doubled, whenever the process is killed.
    """
    patterns = [str(given) for given in inputs]
    sources = find_sources(patterns, options.text_format)
    place = choose_place(out_path, patterns, sources, overwrite=options.overwrite)
    wanted = _describe_job(patterns, sources, bundle_dir, options)
    for source in sources:
        if not source.is_stream:
            validate_columns(source, wanted.columns)
    load = partial(load_screener or _load_screener, bundle_dir)
    with lock_folder(place.folder, f"another process writes to {out_path}; wait for it, or name another output"):
        choose_place(out_path, patterns, sources, overwrite=options.overwrite)  # another process may just have ended
        folder = JobFolder(place.folder)
        earlier = _find_earlier(folder, wanted, out_path, overwrite=options.overwrite)
        folder.refuse_foreign_files()
        if earlier is not None and not place.is_file and _is_done(folder, earlier, wanted):
            return _summarise(place, wanted.model_copy(update={"totals": earlier.totals}), options)
        with show_job(choose_console(console, is_shown=options.progress), sources) as progress:
            parts = JobParts(folder, wanted, keeps_earlier=earlier is not None, overwrite=options.overwrite)
            if engine is None:
                score_missing_parts(parts, load, progress)
            else:
                engine(parts, bundle_dir, progress)
        done = _summarise(place, folder.finish(wanted), options, progress)
        place.complete(folder)
    return done


def _describe_job(
    patterns: Sequence[str], sources: tuple[Source, ...], bundle_dir: Path, options: ScoreOptions
) -> JobRecord:
    manifest = load_manifest(bundle_dir)
    return JobRecord(
        model_version=compute_version(bundle_dir),
        is_synthetic=manifest.is_synthetic,
        operating_points=manifest.operating_points,
        sources=sources,
        skipped=count_skipped_files(patterns),
        text_column=options.text_column,
        id_column=options.id_column,
        max_characters=DataConfig().max_characters,
        part_rows=options.part_rows,
    )


def _find_earlier(folder: JobFolder, wanted: JobRecord, out_path: Path, *, overwrite: bool) -> JobRecord | None:
    """Find a job whose parts this one can keep; refuse another one, unless it may be replaced."""
    earlier = folder.read_record()
    if earlier is None:
        return None
    differences = wanted.list_differences(earlier)
    if not differences and not (folder.is_finished and overwrite):
        return earlier
    if overwrite:
        return None
    message = (
        f"{out_path}: an earlier job there has another {', '.join(differences)}; name another output, or allow "
        "replacing it (--overwrite)"
    )
    raise ConfigError(message)


def _is_done(folder: JobFolder, earlier: JobRecord, wanted: JobRecord) -> bool:
    """Whether an earlier job of the same files is finished, and its parts are still there."""
    is_finished = folder.is_finished and earlier.is_unchanged(wanted)
    return is_finished and earlier.totals is not None and folder.is_whole(earlier.totals)


def _summarise(
    place: Place, record: JobRecord, options: ScoreOptions, progress: JobProgress | None = None
) -> ScoreSummary:
    assert record.totals is not None  # noqa: S101  # the record of a finished job
    return ScoreSummary(
        place=place,
        model_version=record.model_version,
        is_synthetic=record.is_synthetic,
        totals=record.totals,
        max_rejected=options.max_rejected,
        n_files=len(record.sources),
        skipped=record.skipped,
        n_scored=progress.n_scored if progress else 0,
        seconds=progress.seconds if progress else 0.0,
    )


def _load_screener(bundle_dir: Path) -> "Screener":
    from screening.scoring import Screener

    return Screener.load(bundle_dir)
