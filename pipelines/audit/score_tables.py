"""Score tables as audits and drift checks need them: read from any format, checked, and of one model version."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pipelines.artifacts import RunFolder
from screening.data.file_readers import read_table, show_columns
from screening.data.schema import is_missing, show_ids
from screening.data.spreadsheet_cells import restore_cell
from screening.exceptions import ConfigError, MissingArtifactError, SchemaError
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record

TRUTH_VALUES = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


class Promise(Record):
    """What a bundle promises: its version, its operating points, and whether a first stage clears posts unread."""

    version: str
    operating_points: tuple[OperatingPoint, ...]
    has_first_stage: bool = False

    def find(self, target: str) -> OperatingPoint:
        """Find the operating point of one target.

        Raises
        ------
        ConfigError
            Naming the targets there are.
        """
        for point in self.operating_points:
            if point.name == target:
                return point
        names = ", ".join(point.name for point in self.operating_points)
        message = f"expected --target to be one of {names}, found {target!r}"
        raise ConfigError(message)


def read_promise(run_folder: Path | None, bundle_folder: Path | None) -> Promise:
    """Read the operating points of a run's bundle, or of a bundle; no model is loaded.

    Raises
    ------
    ConfigError
        If not exactly one folder is given.
    BundleError
        If it holds no bundle.
    """
    from screening.bundle import compute_version, load_manifest

    if (run_folder is None) == (bundle_folder is None):
        message = "expected either --run or --bundle, found " + ("neither" if run_folder is None else "both")
        raise ConfigError(message)
    folder = run_folder / "bundle" if run_folder is not None else bundle_folder or Path()
    manifest = load_manifest(folder)
    return Promise(
        version=compute_version(folder),
        operating_points=manifest.operating_points,
        has_first_stage=manifest.first_stage is not None,
    )


def read_scores(path: Path, promise: Promise, columns: Sequence[str]) -> pd.DataFrame:
    """Read a score table and make sure that the bundle wrote it.

    Parameters
    ----------
    columns : sequence of str
        Columns needed beside ``post_id`` and ``model_version``; ``is_truncated`` and ``is_cleared`` are read as truth
        values, the others as numbers.

    Returns
    -------
    DataFrame
        ``post_id`` (str), the columns asked for, ``model_version``.

    Raises
    ------
    DataAccessError, SchemaError
        If the file cannot be read, lacks a column, names a post twice, holds a value that is no finite number, or comes
        from another model version. Posts are named by id.
    """
    table = read_table(path)
    needed = ["post_id", *columns, "model_version"]
    missing = [name for name in needed if name not in table]
    if missing:
        found = show_columns([str(name) for name in table.columns])
        message = f"{path}: expected the columns {', '.join(needed)}, found no {', '.join(missing)} among {found}"
        raise SchemaError(message)
    found_versions = table["model_version"].map(lambda cell: "(none)" if is_missing(cell) else str(cell))
    versions = sorted(set(found_versions) - {promise.version})
    if versions:
        message = (
            f"{path}: the scores come from model {', '.join(versions[:3])}, the bundle is {promise.version}; a "
            "threshold holds for its own model alone. Score the posts again with this bundle (`screening score`)"
        )
        raise SchemaError(message)
    scores = table[needed].assign(post_id=read_ids(table["post_id"]))
    if n_missing := int(table["post_id"].isna().sum()):
        message = f"{path}: post_id is missing: {n_missing} rows; every post needs one"
        raise SchemaError(message)
    refuse_rows(path, scores, scores["post_id"].duplicated(keep=False), "post_id is not unique")
    return scores.assign(**{name: _read_column(path, scores, name) for name in columns})


def read_run_scores(run_folder: Path, name: Literal["calibration", "test"], promise: Promise) -> pd.DataFrame:
    """Read a run's own labelled scores.

    Raises
    ------
    MissingArtifactError
        If they are not there, or come from an earlier bundle.
    """
    folder = RunFolder(run_folder)
    path = (folder.calibration if name == "calibration" else folder.evaluation) / f"{name}.parquet"
    if not path.is_file():
        message = f"{path} is not there; finish the run first (`screening run`)"
        raise MissingArtifactError(message)
    table = pd.read_parquet(path)
    if "model_version" in table and set(table["model_version"]) != {promise.version}:
        message = f"{path} holds scores of another bundle than {promise.version}; evaluate again (`screening evaluate`)"
        raise MissingArtifactError(message)
    return table


def refuse_rows(path: Path, table: pd.DataFrame, is_bad: pd.Series, rule: str) -> None:
    """Refuse rows that break a rule, naming the first ten by id."""
    if is_bad.any():
        message = f"{path}: {rule}: {int(is_bad.sum())} rows, first ids {show_ids(table.loc[is_bad, 'post_id'])}"
        raise SchemaError(message)


def read_ids(cells: pd.Series) -> pd.Series:
    """Read ids, those included that a file for people keeps from a spreadsheet by an apostrophe, as `sample.csv` is."""
    return cells.astype(str).map(restore_cell, na_action="ignore")


def read_truth_values(cells: pd.Series) -> pd.Series:
    """Read truth values from booleans, 0 and 1, or their words; anything else is missing."""
    return cells.map(lambda cell: TRUTH_VALUES.get(str(cell).strip().lower()))


def _read_column(path: Path, scores: pd.DataFrame, name: str) -> pd.Series:
    if name in {"is_truncated", "is_cleared"}:
        truths = read_truth_values(scores[name])
        refuse_rows(path, scores, truths.isna(), f"{name} is neither true nor false")
        return truths.astype(bool)
    numbers = pd.to_numeric(scores[name], errors="coerce").astype(float)
    refuse_rows(path, scores, ~numbers.map(np.isfinite), f"{name} is not a finite number")
    if name.startswith("risk_"):
        refuse_rows(path, scores, ~numbers.between(0, 1), f"{name} is not between 0 and 1")
    return numbers
