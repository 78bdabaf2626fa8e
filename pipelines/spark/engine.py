"""The Spark engine: scores the posts of a job on a cluster and puts them into the job's folder as parts."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.scoring.checking import Reject
from pipelines.scoring.job_folder import NO_DIGEST
from pipelines.scoring.job_progress import JobProgress
from pipelines.scoring.parts import JobParts, describe_part
from pipelines.spark.frames import check_posts, count_partitions, score_posts_frame
from pipelines.spark.session import open_session
from screening.exceptions import ConfigError, SchemaError

BYTES_PER_TASK = 16 * 2**20  # of input: some minutes of work, so that little is done twice after a machine is lost
STAGING = "_spark"  # inside the job's folder; readers of tables leave out names that begin so


def score_with_spark(parts: JobParts, bundle_dir: Path, progress: JobProgress, *, master: str | None = None) -> None:
    """Score all rows of a job with Spark.

    Parameters
    ----------
    parts : JobParts
        Of a job whose inputs and folder every machine reaches under the same paths. Parts that are there are
        dropped once all posts are scored.
    bundle_dir : Path
    progress : JobProgress
    master : str, optional
        See :func:`pipelines.spark.session.open_session`.

    Raises
    ------
    ConfigError
        If PySpark or Java is missing, an input is standard input, or a finished job is there and may not be replaced.
    SchemaError
        If no file holds a row.
    """
    if any(source.is_stream for source in parts.record.sources):
        message = "the Spark engine reads files, which it can read again after a fault; found standard input or a pipe"
        raise ConfigError(message)
    if parts.folder.is_finished and not parts.overwrite:
        message = (
            f"{parts.folder.root} holds the scores of a finished job whose inputs or parts changed since, and "
            "Spark would score all of it again; name another output, or allow replacing it (--overwrite)"
        )
        raise ConfigError(message)
    from pipelines.serving.registered_model import export_screener
    from pipelines.tracking import import_mlflow

    staging = parts.folder.root / STAGING
    with open_session(master) as spark, tempfile.TemporaryDirectory(prefix="screening-") as scratch:
        import_mlflow()  # after the session: pandera, which it leads to, would set the driver's address
        model = Path(scratch) / "model"
        export_screener(bundle_dir, model)
        if not parts.folder.is_finished:
            parts.folder.begin(parts.record, keep_parts=parts.keeps_earlier)
        progress.begin_part()
        n_partitions = count_partitions(parts.record, spark.sparkContext.defaultParallelism, BYTES_PER_TASK)
        checked = check_posts(spark, parts.record, n_partitions)
        scores = score_posts_frame(spark, checked.posts, model)
        scores.write.mode("overwrite").parquet(str(staging / "scores"))
        rejects = checked.rejects.orderBy("source", "row")
        rejects.write.mode("overwrite").parquet(str(staging / "rejects"))
    _take_over(staging, parts, progress)


def _read_rejects(files: list[Path], parts: JobParts) -> Iterator[Reject]:
    """Read rejects that Spark wrote, in the order of files and rows, some at a time."""
    import pyarrow.parquet as pq

    names = [source.name for source in parts.record.sources]
    for path in files:
        for batch in pq.ParquetFile(path).iter_batches(10_000):
            for row in batch.to_pylist():
                yield Reject(input=names[row.pop("source")], **row)


def _take_over(staging: Path, parts: JobParts, progress: JobProgress) -> None:
    """Write Spark's files as parts of the job; files of no posts are left out, unless there is no other."""
    import pandas as pd
    import pyarrow.parquet as pq

    files, lists = (sorted((staging / kind).glob("part-*.parquet")) for kind in ("scores", "rejects"))
    n_rejects = sum(pq.read_metadata(path).num_rows for path in lists)
    filled = [path for path in files if pq.read_metadata(path).num_rows]
    if not filled and not n_rejects:
        message = f"{parts.record.sources[0].name}: expected at least one row of posts, found none"
        raise SchemaError(message)
    parts.folder.begin(parts.record, keep_parts=False)
    for number, path in enumerate(filled or files[:1]):
        scores, is_first = pd.read_parquet(path), number == 0  # whose list of rejects is the whole job's
        made = describe_part(scores, len(scores) + (n_rejects if is_first else 0), NO_DIGEST)
        parts.folder.write_part(number, scores, made, _read_rejects(lists if is_first else [], parts))
        progress.end_part(made.n_posts, is_new=True)
    shutil.rmtree(staging)
