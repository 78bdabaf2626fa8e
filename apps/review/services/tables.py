"""Reading score tables, posts and explanations from files, with complaints that name rows by id and never by text."""

from pathlib import Path

import numpy as np
import pandas as pd

from screening.exceptions import MissingArtifactError, SchemaError
from screening.types import TRIAGE_LEVELS

SCORE_COLUMNS = ("post_id", "triage")
EXPLANATION_COLUMNS = ("post_id", "head", "start", "end", "weight")


def read_table(path: Path) -> pd.DataFrame:
    """Read Parquet, CSV or JSONL by the ending of its name; ``post_id`` stays text (``007`` is not ``7``).

    Raises
    ------
    MissingArtifactError
        If there is no such file.
    SchemaError
        If it is of another kind, or not readable as what its name says.
    """
    if not path.is_file():
        message = f"no file at {path}; score posts first, or check the path"
        raise MissingArtifactError(message)
    text_columns = {"post_id": str, "text": str, "triage": str}
    try:
        match path.suffix.lower():
            case ".parquet":
                return pd.read_parquet(path)
            case ".csv":
                return pd.read_csv(path, dtype=text_columns, keep_default_na=False, na_values=[""])
            case ".jsonl":
                return pd.read_json(path, lines=True, dtype=text_columns, convert_dates=False)
    except (ValueError, OSError) as error:
        message = f"{path} cannot be read as {path.suffix}: {type(error).__name__}"
        raise SchemaError(message) from None  # the original message may quote a row
    message = f"{path} must end in .parquet, .csv or .jsonl, found {path.suffix!r}"
    raise SchemaError(message)


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
        message = f"the score table needs at least one risk_<target> column, found {sorted(map(str, scores.columns))}"
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
        found = sorted(map(str, table.columns))
        message = f"the {what} lacks the columns {missing}; found {found}"
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
        named = ", ".join(str(post_id) for post_id in table.loc[is_bad, "post_id"].head(10))
        message = f"{rule}: {int(is_bad.sum())} rows, first ids {named}"
        raise SchemaError(message)
