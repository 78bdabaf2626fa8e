"""The Spark engine: scores the posts of a job on a cluster and puts them into the job's folder as parts."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.scoring.checking import Reject
from pipelines.scoring.job_folder import NO_DIGEST
from pipelines.scoring.job_progress import JobProgress
from pipelines.scoring.parts import JobParts, describe_part
from pipelines.spark.frames import check_posts, count_partitions, score_posts_frame
from pipelines.spark.session import open_session
from screening.exceptions import ConfigError, SchemaError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BYTES_PER_TASK = 16 * 2**20  # of input: some minutes of work, so that little is done twice after a machine is lost
STAGING = "_spark"  # inside the job's folder; readers of tables leave out names that begin so


def score_with_spark(parts: JobParts, bundle_dir: Path, progress: JobProgress, *, master: str | None = None) -> None:
    """Score all rows of a job with Spark.

    Parameters
    ----------
    parts : JobParts
        Of a job whose inputs and folder every machine reaches under the same paths. Parts that are there are dropped.
    bundle_dir : Path
    progress : JobProgress
    master : str, optional
        See :func:`pipelines.spark.session.open_session`.

    Raises
    ------
    ConfigError
        If PySpark or Java is missing, or an input is standard input.
    SchemaError
        If no file holds a row.
    """
    if any(source.is_stream for source in parts.record.sources):
        message = "the Spark engine reads files, which it can read again after a fault; found standard input or a pipe"
        raise ConfigError(message)
    from pipelines.serving import export_screener
    from pipelines.tracking import import_mlflow

    staging = parts.folder.root / STAGING
    with open_session(master) as spark, tempfile.TemporaryDirectory(prefix="screening-") as scratch:
        import_mlflow()  # after the session: pandera, which it leads to, would set the driver's address
        model = Path(scratch) / "model"
        export_screener(bundle_dir, model)
        parts.folder.begin(parts.record, keep_parts=False)
        progress.begin_part()
        n_partitions = count_partitions(parts.record, spark.sparkContext.defaultParallelism, BYTES_PER_TASK)
        checked = check_posts(spark, parts.record, n_partitions)
        score_posts_frame(spark, checked.posts, model).write.mode("overwrite").parquet(str(staging))
        rejects = _collect_rejects(checked.rejects, parts)
    _take_over(staging, parts, rejects, progress)


def _collect_rejects(rejects: "DataFrame", parts: JobParts) -> list[Reject]:
    names = [source.name for source in parts.record.sources]
    kept = ("row", "line", "post_id", "reason")
    rows = [row.asDict() for row in rejects.collect()]
    rows.sort(key=lambda row: (row["source"], row["row"]))
    return [Reject(input=names[row["source"]], **{name: row[name] for name in kept}) for row in rows]


def _take_over(staging: Path, parts: JobParts, rejects: list[Reject], progress: JobProgress) -> None:
    """Write Spark's files as parts of the job; files of no posts are left out, unless there is no other."""
    import pandas as pd
    import pyarrow.parquet as pq

    files = sorted(staging.glob("part-*.parquet"))
    filled = [path for path in files if pq.read_metadata(path).num_rows]
    if not filled and not rejects:
        message = f"{parts.record.sources[0].name}: expected at least one row of posts, found none"
        raise SchemaError(message)
    for number, path in enumerate(filled or files[:1]):
        scores, here = pd.read_parquet(path), rejects if number == 0 else []
        made = describe_part(scores, len(scores) + len(here), NO_DIGEST)
        parts.folder.write_part(number, scores, made, here)
        progress.end_part(made.n_posts, is_new=True)
    shutil.rmtree(staging)
