"""Cells a spreadsheet would take for a formula, made plain text."""

import pandas as pd

# Signs that begin a formula in one of the usual spreadsheets, their full-width forms included.
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_INVISIBLE = " \n\u00a0\u200b\u200c\u200d\u2060\ufeff"  # may stand before the sign


def neutralise_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before every text cell that a spreadsheet would run; numbers stay numbers.

    Examples
    --------
    >>> neutralise_cells(pd.DataFrame({"a": ["=1+1", "fine"], "b": [-1, 0]})).to_dict("list")
    {'a': ["'=1+1", 'fine'], 'b': [-1, 0]}
    """
    texts = {name: table[name].map(_neutralise) for name in table.columns if table[name].dtype.kind not in "biuf"}
    return table.assign(**texts)


def _neutralise(cell: object) -> object:
    is_formula = isinstance(cell, str) and cell.lstrip(_INVISIBLE).startswith(_STARTS)
    return f"'{cell}" if is_formula else cell
