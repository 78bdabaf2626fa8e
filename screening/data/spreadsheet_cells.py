"""Cells a spreadsheet would take for a formula: made plain text in a file that people open, and read back."""

import unicodedata

import pandas as pd

# Signs that begin a formula in one of the usual spreadsheets, their full-width forms included.
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp")  # Unicode categories of what may stand before the sign


def neutralise_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before every text cell that a spreadsheet would run; numbers stay numbers.

    Examples
    --------
    >>> neutralise_cells(pd.DataFrame({"a": ["=1+1", "fine"], "b": [-1, 0]})).to_dict("list")
    {'a': ["'=1+1", 'fine'], 'b': [-1, 0]}
    """
    texts = {name: table[name].map(_neutralise) for name in table.columns if table[name].dtype.kind not in "biuf"}
    return table.assign(**texts)


def restore_cell(cell: str) -> str:
    """Take away the apostrophe that :func:`neutralise_cells` put before a cell; every other cell stays as it is.

    Examples
    --------
    >>> restore_cell("'=1+1"), restore_cell("=1+1"), restore_cell("'tis")
    ('=1+1', '=1+1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell


def _neutralise(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and _is_formula(cell) else cell


def _is_formula(cell: str) -> bool:
    for sign in cell:
        if sign in _STARTS:
            return True
        if unicodedata.category(sign) not in _INVISIBLE:
            return False
    return False
