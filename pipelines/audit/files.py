"""The files of an audit: the sample with its manifest, and the decisions on its posts."""

import hashlib
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field, ValidationError

from pipelines.audit.score_tables import read_ids, read_truth_values, refuse_rows
from pipelines.table_files import validate_output, write_table_whole
from screening.audit.estimate import ReadStratum
from screening.audit.sampling import FLAGGED, AuditSample, Stratum
from screening.data.file_readers import read_table, show_columns
from screening.data.schema import is_missing
from screening.data.spreadsheet_cells import neutralise_cells
from screening.exceptions import ConfigError, SchemaError
from screening.types import Record
from screening.whole_writes import write_text_whole

DECISION_COLUMN = "decision"
POSITIVE_DECISIONS, NEGATIVE_DECISIONS = ("escalate", "needs_follow_up"), ("no_concern",)
UNCLEAR_DECISIONS = ("unsure", "")


class AuditManifest(Record):
    """What an estimate needs beside the sample: counts, the promise under audit, and how the sample was drawn.

    ``sample_digest`` ties it to the ids of its sample; ``strata`` are the unflagged ones; ``unit`` is what the promise
    counts, whereas an audit counts posts.
    """

    format_version: int = Field(1, ge=1, le=1)
    target: str
    labels: tuple[str, ...]
    threshold: float
    target_recall: float
    confidence_level: float
    unit: Literal["post", "author"] = "post"
    model_version: str
    n_posts: int
    flagged: Stratum
    strata: tuple[Stratum, ...]
    near_share: float
    seed: int
    sample_digest: str


def locate_manifest(sample_path: Path) -> Path:
    """Name the manifest of a sample: the same name with ``.manifest.json`` behind it."""
    return sample_path.with_name(f"{sample_path.name}.manifest.json")


def validate_sample_path(path: Path, inputs: tuple[Path, ...]) -> None:
    """Refuse a place that holds a sample or a manifest already: an audit is never silently replaced.

    Raises
    ------
    ConfigError
    """
    for existing in (path, locate_manifest(path)):
        if existing.exists():
            message = f"{existing} exists already; an audit sample is never replaced, name another output"
            raise ConfigError(message)
    validate_output(path, overwrite=False, inputs=inputs)


def write_sample(path: Path, table: pd.DataFrame, manifest: AuditManifest) -> None:
    """Write the manifest, then the sample, each whole: a sample never stands without its manifest.

    People open a CSV in a spreadsheet, so that ids are no formulas there.
    """
    write_text_whole(locate_manifest(path), manifest.model_dump_json(indent=2) + "\n")
    write_table_whole(neutralise_cells(table) if path.suffix.lower() == ".csv" else table, path)


def read_sample(path: Path) -> tuple[pd.DataFrame, AuditManifest]:
    """Read a sample (``post_id``, ``stratum``) and its manifest.

    Raises
    ------
    DataAccessError, SchemaError
        If a file is missing, was changed, or belongs to another sample.
    """
    table, manifest_path = read_table(path), locate_manifest(path)
    try:
        manifest = AuditManifest.model_validate_json(manifest_path.read_bytes())
    except OSError as error:
        message = f"{manifest_path} cannot be read; keep it beside the sample, `screening audit sample` wrote both"
        raise SchemaError(message) from error
    except ValidationError as error:
        message = f"{manifest_path} is not a manifest that `screening audit sample` writes; draw the sample again"
        raise SchemaError(message) from error
    if not {"post_id", "stratum"} <= set(table.columns):
        message = f"{path}: expected the columns post_id and stratum, found {show_columns(list(table.columns))}"
        raise SchemaError(message)
    sample = table[["stratum"]].astype(str).assign(post_id=read_ids(table["post_id"]))
    if compute_sample_digest(sample) != manifest.sample_digest:
        message = f"{path} does not hold the posts its manifest was written for; use the sample as it was drawn"
        raise SchemaError(message)
    return sample, manifest


def compute_sample_digest(sample: pd.DataFrame) -> str:
    """Compute the SHA-256 of ids and strata, whatever their order."""
    rows = sorted(
        f"{post_id}\t{stratum}" for post_id, stratum in zip(sample["post_id"], sample["stratum"], strict=True)
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def read_decisions(path: Path, column: str | None = None) -> pd.Series:
    """Read decisions by post id: true, false, or missing where a reader was unsure or said nothing.

    Parameters
    ----------
    column : str, optional
        Column with the decision. By default ``decision``, else the only other column of truth values.

    Returns
    -------
    Series of bool or None
        Indexed by ``post_id``.

    Raises
    ------
    DataAccessError, SchemaError
        If the file cannot be read, no column or more than one fits, a word is not known, or one post has two different
        decisions.

    Notes
    -----
    ``escalate`` and ``needs_follow_up`` (or true, 1) are positive, ``no_concern`` (or false, 0) negative, ``unsure``
    and an empty cell no decision.
    """
    table = read_table(path)
    if "post_id" not in table:
        message = f"{path}: expected a column post_id, found {show_columns([str(name) for name in table.columns])}"
        raise SchemaError(message)
    chosen = column or _choose_column(path, table)
    if chosen not in table:
        message = f"{path}: found no column {chosen!r} among {show_columns([str(name) for name in table.columns])}"
        raise SchemaError(message)
    words = table[chosen].map(lambda cell: "" if is_missing(cell) else str(cell).strip().lower())
    decisions = words.map(dict.fromkeys(POSITIVE_DECISIONS, True) | dict.fromkeys(NEGATIVE_DECISIONS, False))
    decisions = decisions.where(decisions.notna(), read_truth_values(words)).astype(object)
    named = pd.DataFrame({"post_id": read_ids(table["post_id"]), "decision": decisions})
    known = ", ".join((*POSITIVE_DECISIONS, *NEGATIVE_DECISIONS, "unsure", "true, false, 1, 0"))
    is_unknown = named["decision"].isna() & ~words.isin(UNCLEAR_DECISIONS)
    refuse_rows(path, named, is_unknown, f"{chosen} is none of {known}")
    named = named.drop_duplicates()
    rule = "more than one decision for a post; keep the one that counts"
    refuse_rows(path, named, named["post_id"].duplicated(keep=False), rule)
    return named.set_index("post_id")["decision"]


def count_decisions(sample: pd.DataFrame, stratum: Stratum, decisions: pd.Series) -> ReadStratum:
    """Count positive and missing decisions among the sampled posts of a stratum."""
    found = decisions.reindex(sample.loc[sample["stratum"] == stratum.name, "post_id"])
    n_positive = int((found == True).sum())  # noqa: E712  # missing decisions compare as false
    return ReadStratum(**stratum.model_dump(), n_positive=n_positive, n_missing=int(found.isna().sum()))


def build_manifest_counts(drawn: AuditSample) -> dict[str, object]:
    """Collect the counts of a drawn sample for its manifest."""
    return {
        "n_posts": drawn.flagged.n_posts + sum(stratum.n_posts for stratum in drawn.unflagged),
        "flagged": drawn.flagged,
        "strata": drawn.unflagged,
        "sample_digest": compute_sample_digest(drawn.table),
    }


def list_unflagged(sample: pd.DataFrame) -> pd.Series:
    """List the ids of sampled posts that were not flagged."""
    return sample.loc[sample["stratum"] != FLAGGED, "post_id"]


def _choose_column(path: Path, table: pd.DataFrame) -> str:
    if DECISION_COLUMN in table:
        return DECISION_COLUMN
    fitting = []
    for name in (str(column) for column in table.columns if column != "post_id"):
        is_empty = table[name].isna() | (table[name].astype(str).str.strip() == "")
        if not is_empty.all() and (read_truth_values(table[name]).notna() | is_empty).all():
            fitting.append(name)
    if len(fitting) == 1:
        return fitting[0]
    message = (
        f"{path}: expected a column {DECISION_COLUMN!r} or one column of true/false or 1/0, found "
        f"{len(fitting) or 'none'} among {show_columns([str(name) for name in table.columns])}; name it with "
        "--decision-column"
    )
    raise SchemaError(message)
