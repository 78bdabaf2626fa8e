"""The posts a scoring job scored, read again from its input."""

from pathlib import Path

import pandas as pd

from pipelines.scoring.checking import check_rows
from pipelines.scoring.inputs import find_sources
from pipelines.scoring.rows import Columns, read_rows
from pipelines.scoring.seen_ids import SeenIds
from screening.config import DataConfig


def read_scored_posts(path: Path, *, text_column: str, id_column: str | None) -> pd.DataFrame:
    """Read the posts of a file or folder as a scoring job reads, names, cleans and rejects them.

    Returns
    -------
    DataFrame
        ``post_id`` and ``text``, cleaned; rows the job rejects are left out.

    Raises
    ------
    ConfigError, DataAccessError, SchemaError
        If the input cannot be opened or lacks a column.
    """
    columns = Columns(text_column, id_column)
    rows = [row for source in find_sources([str(path)]) for row in read_rows(source, columns, lambda _: None)]
    checked = check_rows(rows, SeenIds(), max_characters=DataConfig().max_characters)
    return pd.DataFrame({"post_id": checked.post_ids, "text": checked.texts}, dtype="str")
