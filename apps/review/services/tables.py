"""Reading score tables, posts and explanations from files, with complaints that name rows by id and never by text."""

from pathlib import Path

import numpy as np
import pandas as pd

from screening.data.cleaning import clean_text
from screening.data.file_readers import list_tables, read_table, show_columns
from screening.data.schema import show_ids
from screening.data.sources import Columns, choose_id_stems, select_columns
from screening.exceptions import SchemaError
from screening.types import TRIAGE_LEVELS

SCORE_COLUMNS = ("post_id", "triage")
_TRUTH_VALUES = {"True": True, "False": False, "true": True, "false": False}
TEXT_COLUMNS = ("post_id", "triage", "label", "head", "model_version")
EXPLANATION_COLUMNS = ("post_id", "head", "start", "end", "weight", "model_version")


def read_posts(
    path: Path,
    *,
    text_column: str = "text",
    id_column: str | None = None,
    date_column: str | None = None,
    community_column: str | None = None,
) -> pd.DataFrame:
    """Read posts the way ``screening score`` reads and cleans them, so that ids and the offsets of highlights agree.

    Parameters
    ----------
    path : Path
        A file, or a folder of them.
    id_column, date_column : str or None
        ``None`` takes ``post_id`` and ``created_at`` where the file has them; without ``post_id`` the ids are
        ``<file stem>-<row>``, rows counted from 1.
    community_column : str or None
        Column the queue can be filtered by; ``None`` takes ``community`` where the file has it.

    Raises
    ------
    DataAccessError
        If the file cannot be opened.
    SchemaError
        If it cannot be read as a table or lacks a named column; the message quotes no post.
    """
    files = list_tables(path) if path.is_dir() else [path]
    wanted = Columns(text=text_column, id=id_column, date=date_column)
    tables = [
        _read_posts_table(file, stem, wanted, community_column)
        for file, stem in zip(files, choose_id_stems(files), strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def _read_posts_table(path: Path, stem: str, wanted: Columns, community: str | None) -> pd.DataFrame:
    table = read_table(path)
    post_id = wanted.id or ("post_id" if "post_id" in table.columns else None)
    date = wanted.date or ("created_at" if "created_at" in table.columns else None)
    community = community or ("community" if "community" in table.columns else None)
    groups = (community,) if community is not None else ()
    columns = wanted._replace(id=post_id, date=date, groups=groups)
    posts = select_columns(table, columns, where=str(path), stem=stem)
    if community is not None:
        posts = posts.rename(columns={community: "community"})
    return posts.assign(text=[clean_text(text) if isinstance(text, str) else text for text in posts["text"]])


def read_numbers(path: Path) -> pd.DataFrame:
    """Read a score or explanation table; in CSV files numbers and truth values come as text and are read as such.

    Raises
    ------
    DataAccessError, SchemaError
        As :func:`read_posts`.
    """
    table = read_table(path)
    names = [column for column in table.columns if column not in TEXT_COLUMNS]
    return table.assign(**{name: table[name].map(_to_number) for name in names})


def validate_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Check a score table: unique ids, known triage levels, risks in [0, 1].

    Raises
    ------
    SchemaError
        Naming the columns or the first ids that break a rule.
    """
    require_columns(scores, SCORE_COLUMNS, "score table")
    require_unique_ids(scores, "score table")
    risk_columns = list_risk_columns(scores)
    if not risk_columns:
        found = show_columns([str(name) for name in scores.columns])
        message = f"the score table needs at least one risk_<target> column, found {found}"
        raise SchemaError(message)
    _refuse_rows(scores, ~scores["triage"].isin(TRIAGE_LEVELS), f"triage is not one of {', '.join(TRIAGE_LEVELS)}")
    for column in risk_columns:
        values = pd.to_numeric(scores[column], errors="coerce").to_numpy(dtype=float)
        is_bad = ~(np.isfinite(values) & (values >= 0) & (values <= 1))
        _refuse_rows(scores, pd.Series(is_bad, index=scores.index), f"{column} is not between 0 and 1")
    return scores


def list_risk_columns(scores: pd.DataFrame) -> list[str]:
    """Names of the ``risk_<target>`` columns in table order: the most urgent target first."""
    return [str(column) for column in scores.columns if str(column).startswith("risk_")]


def require_columns(table: pd.DataFrame, columns: tuple[str, ...], what: str) -> None:
    """Refuse a table without these columns."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        found = show_columns([str(name) for name in table.columns])
        message = f"the {what} lacks the columns {', '.join(missing)}; found {found}"
        raise SchemaError(message)


def require_unique_ids(table: pd.DataFrame, what: str) -> None:
    """Refuse a table with empty or repeated post ids."""
    ids = table["post_id"]
    is_empty = ids.isna() | (ids.astype(str).str.strip() == "")
    if is_empty.any():
        message = f"the {what} has {int(is_empty.sum())} rows without a post_id; give every post its own"
        raise SchemaError(message)
    _refuse_rows(table, ids.duplicated(), f"post_id stands twice in the {what}")


def _refuse_rows(table: pd.DataFrame, is_bad: pd.Series, rule: str) -> None:
    if is_bad.any():
        message = f"{rule}: {int(is_bad.sum())} rows, first ids {show_ids(table.loc[is_bad, 'post_id'])}"
        raise SchemaError(message)


def _to_number(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    if cell in _TRUTH_VALUES:
        return _TRUTH_VALUES[cell]
    try:
        return float(cell)
    except ValueError:
        return cell or None
