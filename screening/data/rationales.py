"""Spans of a post that people marked as what a label rests on, from two columns of a file of posts."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from screening.data.cleaning import clean_text
from screening.data.schema import list_rows, name_rows
from screening.exceptions import SchemaError

RATIONALE_COLUMNS = ("rationale_start", "rationale_end")

Span = tuple[int, int]


def extract_rationales(table: pd.DataFrame, posts: pd.DataFrame, *, where: str) -> dict[str, list[Span]] | None:
    """Read the rationale spans of posts, where their file has them.

    Parameters
    ----------
    table : DataFrame
        The file as :func:`screening.data.file_readers.read_table` gives it. ``rationale_start`` and ``rationale_end``
        hold, per post, one whole number or a list of them (in CSV as JSON: ``[0, 12]``): characters ``[start, end)`` of
        the text as it stands in the file. Empty cells: nobody marked anything.
    posts : DataFrame
        The same rows as ``post_id`` and ``text``, not cleaned.
    where : str
        Name of the posts in errors.

    Returns
    -------
    dict of str to list of (int, int), or None
        By post id, characters ``[start, end)`` of the cleaned text; posts without a span are left out. ``None`` if the
        file has neither column.

    Raises
    ------
    SchemaError
        If only one column is there, or spans are not whole numbers in pairs, lie outside the text or cover nothing
        visible; rows are listed by id, never by text.

    Examples
    --------
    >>> table = pd.DataFrame({"rationale_start": ["[4, 14]"], "rationale_end": ["[9, 19]"]})
    >>> posts = pd.DataFrame({"post_id": ["p1"], "text": ["so  tired, so tired"]})
    >>> extract_rationales(table, posts, where="posts")
    {'p1': [(3, 8), (13, 18)]}
    """
    given = [name for name in RATIONALE_COLUMNS if name in table]
    if not given:
        return None
    if len(given) == 1:
        message = f"{where}: expected both {' and '.join(RATIONALE_COLUMNS)}, found only {given[0]}"
        raise SchemaError(message)
    found: dict[str, list[Span]] = {}
    reasons: dict[str, list[int]] = {}
    cells = zip(posts["post_id"], posts["text"], *(table[name] for name in RATIONALE_COLUMNS), strict=True)
    for row, (post_id, text, starts, ends) in enumerate(cells):
        try:
            spans = _read_spans(str(text), _read_numbers(starts), _read_numbers(ends))
        except ValueError as error:
            reasons.setdefault(str(error), []).append(row)
            continue
        if spans:
            found[str(post_id)] = spans
    _refuse(reasons, posts, where)
    return found


def locate_in_cleaned(text: str, place: int) -> int:
    r"""Find where a character of a text stands once the text is cleaned.

    Examples
    --------
    >>> locate_in_cleaned("so &amp; so  tired", 13)
    8
    """
    return len(clean_text(text[:place] + "x")) - 1  # a letter keeps the white space before it


def _read_spans(text: str, starts: Sequence[int], ends: Sequence[int]) -> list[Span]:
    if len(starts) != len(ends):
        message = "rationale_start and rationale_end hold different numbers of values"
        raise ValueError(message)
    pairs = list(zip(starts, ends, strict=True))
    if any(not 0 <= start < end <= len(text) for start, end in pairs):
        message = "a rationale span lies outside the text or is empty"
        raise ValueError(message)
    spans = [(locate_in_cleaned(text, start), locate_in_cleaned(text, end)) for start, end in pairs]
    if any(start >= end for start, end in spans):
        message = "a rationale span covers nothing visible"
        raise ValueError(message)
    return spans


def _read_numbers(cell: object) -> list[int]:
    """Read a whole number or a list of them; nothing where the cell is empty.

    A column of whole numbers with gaps comes from pandas as 4.0, in CSV too.
    """
    if isinstance(cell, str):
        try:
            cell = json.loads(cell) if cell.strip() else None
        except (ValueError, RecursionError):
            cell = object()
    if isinstance(cell, (list, tuple, np.ndarray)):
        values = list(cell)
    else:
        values = [] if cell is None or cell is pd.NA or cell != cell else [cell]  # noqa: PLR0124  # NaN differs from itself
    if not all(_is_whole(value) for value in values):
        message = "rationale offsets are not whole numbers or lists of them (in CSV: 4 or [4, 14])"
        raise ValueError(message)
    return [int(value) for value in values]


def _is_whole(value: object) -> bool:
    if isinstance(value, (float, np.floating)):
        return float(value).is_integer()
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _refuse(reasons: dict[str, list[int]], posts: pd.DataFrame, where: str) -> None:
    if not reasons:
        return
    names = name_rows(posts)
    lines = [f"{reason}: {len(rows)} rows ({list_rows(names, rows)})" for reason, rows in reasons.items()]
    message = f"{where}: rationales do not fit their posts; nothing was written\n  " + "\n  ".join(lines)
    raise SchemaError(message)
