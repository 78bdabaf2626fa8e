"""Compare explanations with spans that people marked, where the file of posts has them."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.artifacts import RunFolder
from pipelines.explaining.faithfulness import SEED, Explained
from screening.data.schema import show_ids
from screening.exceptions import SchemaError

Rationales = dict[str, list[tuple[int, int]]]


def read_rationales(path: Path, *, text_column: str, id_column: str | None) -> Rationales | None:
    """Read the rationale spans of a file of posts; ``None`` if it has no such columns.

    Raises
    ------
    DataAccessError, SchemaError
        See :func:`screening.data.rationales.extract_rationales`.
    """
    return _read_file(path, text_column, id_column)[0] if _may_have_rationales(path) else None


def read_run_rationales(folder: RunFolder, posts: pd.DataFrame) -> Rationales | None:
    """Read the rationale spans of a run's posts from the file or folder the run was made from.

    Parameters
    ----------
    folder : RunFolder
    posts : DataFrame
        Prepared posts of one split: ``post_id`` and ``text``.

    Returns
    -------
    dict or None
        Spans of these posts; ``None`` if the source has no such columns, or is not a file that is still there.

    Raises
    ------
    SchemaError
        If spans do not fit their posts, or a marked post reads differently now.
    """
    from screening.config import load_config

    if not folder.config.is_file():
        return None
    data = load_config(folder.config).data
    found: Rationales = {}
    has_columns = False
    known = dict(zip(posts["post_id"].astype(str), posts["text"], strict=True))
    for file in _list_files(data.path):
        spans, texts = _read_file(file, data.text_column, data.id_column)
        has_columns |= spans is not None
        chosen = {post_id: marked for post_id, marked in (spans or {}).items() if post_id in known}
        changed = [post_id for post_id in chosen if texts[post_id] != known[post_id]]
        if changed:
            message = (
                f"{file}: {len(changed)} posts with rationales changed since the run was prepared "
                f"(first: {show_ids(changed, 5)}); prepare the run again, or put the file back"
            )
            raise SchemaError(message)
        found |= chosen
    return found if has_columns else None


def measure_plausibility(explained: Explained, rationales: Rationales) -> pd.DataFrame:
    """Compare the explained posts that people marked with what they marked; no rows if there are none."""
    from screening.explain.plausibility import compute_plausibility

    post_ids = [str(post_id) for post_id in explained.spans["post_id"].drop_duplicates() if post_id in rationales]
    table = compute_plausibility(
        explained.select_words(post_ids),
        [rationales[post_id] for post_id in post_ids],
        rng=np.random.default_rng(SEED),
    )
    table.insert(0, "post_id", pd.Series(post_ids, dtype="str"))
    return table.assign(head=explained.head, model_version=explained.bundle.version)


def _read_file(path: Path, text_column: str, id_column: str | None) -> tuple[Rationales | None, dict[str, str]]:
    """Read the spans of one file and the cleaned texts of the posts that have some."""
    from screening.data.cleaning import clean_text
    from screening.data.file_readers import read_table
    from screening.data.rationales import RATIONALE_COLUMNS, extract_rationales
    from screening.data.sources import read_posts_file

    table = read_table(path)
    if not set(RATIONALE_COLUMNS) & set(table.columns):
        return None, {}
    posts = read_posts_file(path, text_column=text_column, id_column=id_column)
    spans = extract_rationales(table, posts, where=str(path))
    marked = posts[posts["post_id"].isin(spans or {})]
    return spans, dict(zip(marked["post_id"], marked["text"].map(clean_text), strict=True))


def _may_have_rationales(path: Path) -> bool:
    """Tell whether a file, or one of a folder, may have a rationale column.

    Without one it need not be read as a whole, which would refuse it for a line that a scoring job only rejects.
    """
    from screening.data.file_readers import list_tables
    from screening.data.rationales import RATIONALE_COLUMNS

    names = [name.encode() for name in RATIONALE_COLUMNS]
    files = list_tables(path) if path.is_dir() else [path]
    return any(name in content for content in map(Path.read_bytes, files) for name in names)


def _list_files(path: Path | None) -> list[Path]:
    """List the files of posts behind a run's ``data.path``; none if it is not there any more."""
    from screening.data.file_readers import TABLE_SUFFIXES
    from screening.data.sources import SPLIT_BY_STEM

    if path is None or not path.exists():
        return []
    if path.is_file():
        return [path]
    tables = (file for file in sorted(path.iterdir()) if file.suffix.lower() in TABLE_SUFFIXES)
    return [file for file in tables if file.stem.lower() in SPLIT_BY_STEM]
