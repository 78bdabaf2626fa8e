"""The schema of posts: every bad row is listed by id (or number) and reason, never by its text."""

import re
import warnings
from collections.abc import Collection, Iterable
from typing import Any

import pandas as pd

from screening.exceptions import SchemaError

MAX_LISTED = 20
NOT_UNIQUE = "id is not unique"

_ID = re.compile(r"\S{1,100}")
_SHOWN_ID = re.compile(r"[A-Za-z0-9._:/-]{1,64}")  # anything else may be a text in the wrong column
_MAX_GROUP_CHARACTERS = 60
_NOT_UNICODE = object()  # stands for a string no UTF-8 file can hold while rows are checked


def validate_posts(
    posts: pd.DataFrame,
    *,
    max_characters: int,
    labels: Collection[str] | None = None,
    group_columns: Collection[str] = (),
    where: str = "posts",
) -> None:
    """Check posts against the schema and refuse them if any row breaks it.

    Parameters
    ----------
    posts : DataFrame
        Columns ``post_id, text`` and, where known, ``label, created_at, source_split`` and group columns.
    max_characters : int
        Longest text accepted.
    labels : collection of str, optional
        Accepted spellings; ``None`` leaves labels unchecked (new posts have none).
    group_columns : collection of str
        Columns whose values will name subgroups: at most 60 characters each.
    where : str
        Name of the posts in the error.

    Raises
    ------
    SchemaError
        Lists, per reason, the number of rows and the first 20 of them, by id.

    Notes
    -----
    An id with other characters than ``A-Za-z0-9._:/-`` or over 64 of them may be a text, and ids that repeat may be
    authors: such rows are named by their number, counted from 1 within their source split.
    """
    reasons = collect_failures(posts, max_characters=max_characters, labels=labels, group_columns=group_columns)
    if not reasons:
        return
    names = name_rows(posts)
    lines = [f"{reason}: {len(rows)} rows ({list_rows(names, rows)})" for reason, rows in reasons.items()]
    n_bad = len(set().union(*reasons.values()))
    message = f"{where}: {n_bad} of {len(posts)} rows break the schema; nothing was written\n  " + "\n  ".join(lines)
    raise SchemaError(message)


def is_showable(post_id: object) -> bool:
    """Tell whether an id may stand in an error: anything else may be a text in the wrong column."""
    return isinstance(post_id, str) and _SHOWN_ID.fullmatch(post_id) is not None


def show_ids(post_ids: Iterable[object], n_shown: int = 10) -> str:
    """List the first ids for an error, each once; of one that may not be shown, only its length.

    Examples
    --------
    >>> show_ids(["t3_x1", "words of a post", "t3_x1"])
    't3_x1, <id of 15 characters>'
    """
    first = list(dict.fromkeys(map(str, post_ids)))[:n_shown]
    return ", ".join(post_id if is_showable(post_id) else f"<id of {len(post_id)} characters>" for post_id in first)


def parse_dates(values: pd.Series) -> pd.Series:
    """Parse ISO 8601 dates or epoch seconds into UTC times without a zone; empty and unreadable cells become NaT."""
    as_text = values.map(lambda value: "" if _is_blank(value) else str(value).strip())
    seconds = pd.to_numeric(as_text.where(as_text.str.fullmatch(r"\d{9,11}(\.\d+)?")), errors="coerce")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown zone names: such cells become NaT and are reported as bad dates
        parsed = pd.to_datetime(as_text.where(as_text != ""), format="ISO8601", errors="coerce", utc=True)
    from_seconds = pd.to_datetime(seconds, unit="s", errors="coerce", utc=True)
    return parsed.where(seconds.isna(), from_seconds).dt.tz_localize(None).astype("datetime64[us]")


def collect_failures(
    posts: pd.DataFrame,
    *,
    max_characters: int,
    labels: Collection[str] | None = None,
    group_columns: Collection[str] = (),
) -> dict[str, list[int]]:
    """Collect the positions of rows that break the schema by reason; parameters as of :func:`validate_posts`."""
    checked = posts.reset_index(drop=True).astype(object)
    for name in checked:
        checked[name] = checked[name].map(lambda value: value if _is_encodable(value) else _NOT_UNICODE)
    failures = _find_failure_cases(checked, max_characters, labels, group_columns)
    rows: dict[str, list[int]] = {}
    for reason, index in zip(failures["check"], failures["index"], strict=True):
        rows.setdefault(str(reason), []).append(int(index))
    return {reason: sorted(set(found)) for reason, found in rows.items()}


def _find_failure_cases(
    posts: pd.DataFrame, max_characters: int, labels: Collection[str] | None, group_columns: Collection[str]
) -> pd.DataFrame:
    """Find what breaks the schema: ``check`` (the reason), ``index`` (the row), and pandera's columns, with texts."""
    with warnings.catch_warnings():
        # pandera imports PySpark's pandas where PySpark is installed, and that warns about pandas 3
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        import pandera.errors

        schema = _build_schema(posts, max_characters, labels, group_columns)
        try:
            schema.validate(posts, lazy=True)
        except pandera.errors.SchemaErrors as error:
            return error.failure_cases
    return pd.DataFrame({"check": [], "index": []})


def _build_schema(
    posts: pd.DataFrame, max_characters: int, labels: Collection[str] | None, group_columns: Collection[str]
) -> Any:  # pandera has no typed public schema here
    import pandera.pandas as pa

    def column(*checks: tuple[str, Any]) -> pa.Column:
        return pa.Column(
            None,
            [pa.Check(test, error=reason, element_wise=True, ignore_na=False) for reason, test in checks],
            nullable=True,
        )

    columns = {
        "post_id": pa.Column(
            None,
            [
                pa.Check(lambda ids: ~ids.duplicated(keep=False), error=NOT_UNIQUE, ignore_na=False),
                pa.Check(
                    _is_id,
                    error="id is empty, has spaces, signs that cannot be seen, or over 100 characters",
                    element_wise=True,
                    ignore_na=False,
                ),
            ],
            nullable=True,
        ),
        "text": column(
            ("text is missing or not a string", lambda text: isinstance(text, str) or text is _NOT_UNICODE),
            ("text is empty", lambda text: not isinstance(text, str) or bool(text.strip())),
            (
                f"text is over {max_characters} characters",
                lambda text: not isinstance(text, str) or len(text) <= max_characters,
            ),
            ("text holds NUL bytes", lambda text: not isinstance(text, str) or "\x00" not in text),
            ("text is not valid Unicode", lambda text: text is not _NOT_UNICODE),
        ),
    }
    if labels is not None:
        known = ", ".join(sorted(labels))
        columns["label"] = column(
            (
                f"label is none of {known} (data.taxonomy may name a file of other labels)",
                lambda label: isinstance(label, str) and label in labels,
            )
        )
    if "created_at" in posts:
        is_bad = parse_dates(posts["created_at"]).isna() & ~posts["created_at"].map(_is_blank)
        columns["created_at"] = pa.Column(
            None,
            pa.Check(lambda dates: pd.Series(~is_bad.to_numpy(), index=dates.index), error=_BAD_DATE, ignore_na=False),
            nullable=True,
        )
    for name in group_columns:
        columns[name] = column(
            (f"{name} is a list or an object, not one value", is_one_value),
            (
                f"{name} is over {_MAX_GROUP_CHARACTERS} characters, or has some that cannot be printed",
                lambda value: not is_one_value(value) or _is_short(value),
            ),
        )
    return pa.DataFrameSchema(columns)


_BAD_DATE = "date is neither ISO 8601 nor epoch seconds"


def is_missing(value: object) -> bool:
    """Tell whether a cell holds nothing; a list or an object, as JSONL and Parquet may have it, is something.

    Examples
    --------
    >>> [is_missing(value) for value in (None, float("nan"), "", [None])]
    [True, True, False, False]
    """
    return is_one_value(value) and bool(pd.isna(value))  # type: ignore[call-overload]  # of any one value


def is_one_value(value: object) -> bool:
    """Tell one value, or none, from a list or an object of several."""
    return bool(pd.api.types.is_scalar(value)) or value is _NOT_UNICODE


def _is_blank(value: object) -> bool:
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def _is_short(value: object) -> bool:
    return value is not _NOT_UNICODE and len(str(value)) <= _MAX_GROUP_CHARACTERS and str(value).isprintable()


def _is_id(value: object) -> bool:
    """Tell ids apart from all else: what Python calls unprintable are the Unicode categories C* (and white space)."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None and value.isprintable()


def _is_encodable(value: object) -> bool:
    """Tell strings with lone surrogates (from JSON escapes) apart: no file format could hold them."""
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def name_rows(posts: pd.DataFrame) -> list[str]:
    """Name each row by its id, or by its number where the id may not be shown."""
    splits = posts["source_split"] if "source_split" in posts else pd.Series("", index=posts.index)
    numbers = splits.groupby(splits, sort=False).cumcount() + 1
    by_number = [f"{split} row {number}".strip() for split, number in zip(splits, numbers, strict=True)]
    if len({str(post_id) for post_id in posts["post_id"]}) < len(posts):
        return by_number
    return [
        post_id if is_showable(post_id) else number for post_id, number in zip(posts["post_id"], by_number, strict=True)
    ]


def list_rows(names: list[str], rows: list[int]) -> str:
    """List the first rows by name and count the rest."""
    distinct = list(dict.fromkeys(names[row] for row in rows))
    more = f" and {len(distinct) - MAX_LISTED} more" if len(distinct) > MAX_LISTED else ""
    return ", ".join(distinct[:MAX_LISTED]) + more
