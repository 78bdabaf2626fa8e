"""Spark data frames from files of posts to scores: read and checked, without repeats, scored."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from pipelines.scoring.checking import check_rows, cut_parts
from pipelines.scoring.job_folder import JobRecord
from pipelines.scoring.rows import read_rows
from pipelines.scoring.seen_ids import SeenIds
from screening.data.schema import NOT_UNIQUE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CHECKED_ROWS = 1_000  # rows handed to Spark at a time
CHECKED_SCHEMA = "source int, row bigint, line bigint, post_id string, text string, reason string"
REJECT_COLUMNS = ("source", "row", "line", "post_id", "reason")


class CheckedFrames(NamedTuple):
    """Posts to score (``post_id``, ``text``), and rows that cannot be (``REJECT_COLUMNS``)."""

    posts: "DataFrame"
    rejects: "DataFrame"


def check_source(numbers: Iterator[pd.DataFrame], record: JobRecord) -> Iterator[pd.DataFrame]:
    """Read and check files on a worker, as the local engine does (:func:`pipelines.scoring.checking.check_rows`).

    Parameters
    ----------
    numbers : iterator of DataFrame
        Column ``id``: places of files in ``record.sources``. Each must be readable on the worker under that path.
    record : JobRecord

    Yields
    ------
    DataFrame
        Columns of ``CHECKED_SCHEMA``; ``text`` is cleaned, and null in a row with a ``reason``.
    """
    for number in (int(value) for frame in numbers for value in frame["id"]):
        seen = SeenIds()  # repeats in other files are found later, among all
        rows = read_rows(record.sources[number], record.columns, lambda _: None)
        for part in cut_parts(rows, CHECKED_ROWS):
            checked = check_rows(part, seen, max_characters=record.max_characters)
            rejected = {reject.row: reject for reject in checked.rejects}
            kept = [row for row in part if row.number not in rejected]
            scored = zip(kept, checked.post_ids, checked.texts, strict=True)
            cells: list[tuple[object, ...]]
            cells = [(number, row.number, row.line, post_id, text, None) for row, post_id, text in scored]
            cells += [(number, bad.row, bad.line, bad.post_id, None, bad.reason) for bad in checked.rejects]
            table = pd.DataFrame(cells, columns=[field.split()[0] for field in CHECKED_SCHEMA.split(", ")])
            yield table.astype({"line": "Int64"})


def check_posts(spark: "SparkSession", record: JobRecord, n_partitions: int) -> CheckedFrames:
    """Read every file of a job, check its rows, and spread the posts over partitions by id.

    Of posts with one id the first is kept, in the order of files and rows. A partition is sorted by id, so that a task
    that is tried again makes the same batches.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    files = spark.range(0, len(record.sources), 1, numPartitions=len(record.sources))
    checked = files.mapInPandas(partial(check_source, record=record), CHECKED_SCHEMA)
    spread = checked.where("reason is null").repartition(n_partitions, "post_id")
    by_id = Window.partitionBy("post_id").orderBy("source", "row")
    ranked = spread.withColumn("rank", sql.row_number().over(by_id))
    repeats = ranked.where("rank > 1").withColumns({"post_id": sql.lit(None), "reason": sql.lit(NOT_UNIQUE)})
    unread = checked.where("reason is not null")
    rejects = unread.select(*REJECT_COLUMNS).unionByName(repeats.select(*REJECT_COLUMNS))
    return CheckedFrames(ranked.where("rank = 1").select("post_id", "text"), rejects)


def score_posts_frame(spark: "SparkSession", posts: "DataFrame", model: Path | str) -> "DataFrame":
    """Score a data frame of posts with an exported model.

    Parameters
    ----------
    spark : SparkSession
    posts : DataFrame
        Columns ``post_id`` and ``text``; every row must pass the row check, or the task fails and names it by id.
    model : path
        A model folder (:func:`pipelines.serving.registered_model.export_screener`, ``mlflow artifacts download``) or an
        MLflow address.

    Returns
    -------
    DataFrame
        The local engine's columns.
    """
    from pyspark.sql import functions as sql

    from pipelines.serving.registered_model import load_spark_udf, name_score_columns

    score = load_spark_udf(spark, model)
    scored = posts.select(score(sql.struct("post_id", "text")).alias("scored"))
    return scored.select(*[f"scored.{name}" for name in name_score_columns(score)])


def count_partitions(record: JobRecord, n_cores: int, bytes_per_task: int) -> int:
    """Count the tasks of a job: a few per core, and none of much more than a given size of input."""
    n_bytes = sum(source.size_bytes for source in record.sources)
    return max(4 * n_cores, -(-n_bytes // bytes_per_task), 1)
