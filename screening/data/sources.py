"""Posts by source name: every reader returns the same columns, with the labels as the source spells them."""

import difflib
import itertools
import re
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from screening.config import DataConfig
from screening.data.file_readers import TABLE_SUFFIXES, list_tables, read_table, show_columns
from screening.data.known_sources import KNOWN_SOURCES, KnownSource
from screening.data.schema import is_missing, is_one_value, list_rows, name_rows
from screening.exceptions import ConfigError, DataAccessError, SchemaError
from screening.types import SPLITS, Split

SPLIT_BY_STEM: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "calibration": "calibration",
    "test": "test",
}
WHOLE_SOURCE = "all"  # source split of a source that gives none

_RESERVED = (
    "post_id", "text", "author_id", "source_split", "split", "rank", "is_changed", "control_kind",
    "triage", "valence", "intensity", "n_tokens", "n_windows", "is_truncated", "is_cleared", "model_version",
    "author_code",
)  # fmt: skip
_RESERVED_PREFIXES = ("prob_", "risk_", "logit_")  # of score tables, where group columns stand beside the scores
_NO_AUTHOR = ("", "[deleted]", "[removed]")


class Columns(NamedTuple):
    """Names of a file's columns; ``None`` for what it does not have."""

    text: str
    label: str | None = None
    id: str | None = None
    author: str | None = None
    date: str | None = None
    groups: tuple[str, ...] = ()


class SourcePosts(NamedTuple):
    """What a source gives: posts with a ``source_split`` column, and posts from outside the task if there are any."""

    posts: pd.DataFrame
    controls: pd.DataFrame | None


def read_source(config: DataConfig, seed: int) -> SourcePosts:
    """Read the posts and controls a data section names.

    Parameters
    ----------
    config : DataConfig
        ``path`` wins over the hub where a source has both.
    seed : int
        Used by the synthetic source only.

    Returns
    -------
    SourcePosts
        Columns ``post_id, text, label, source_split`` and, where known, ``author_id`` (numbered, not named),
        ``created_at`` (unparsed) and group columns; controls have ``control_kind`` in place of ``label``.

    Raises
    ------
    ConfigError
        If the section does not name enough, or a column the source never gives.
    DataAccessError
        If a file, folder or hub data set cannot be reached; the message says how to get it.
    SchemaError
        If a file cannot be read as a table or lacks a column.
    """
    _refuse_machine_text(config)
    if config.source == "synthetic":
        from screening.data.synthetic import generate_controls, generate_posts

        controls = (
            _read_controls(config) if config.controls else generate_controls(max(config.n_synthetic // 5, 50), seed)
        )
        return SourcePosts(generate_posts(config.n_synthetic, seed).assign(source_split=WHOLE_SOURCE), controls)
    return SourcePosts(hide_author_names(_read_posts(config)), _read_controls(config))


def read_posts_file(
    path: Path | str,
    *,
    text_column: str,
    id_column: str | None = None,
    label_column: str | None = None,
    group_columns: Sequence[str] = (),
) -> pd.DataFrame:
    """Read one CSV, TSV, JSONL or Parquet file of posts, or a folder of them, into the toolkit's columns.

    Parameters
    ----------
    path : path
        The file or folder.
    text_column : str
        Column with the post.
    id_column : str, optional
        Column with a unique id; by default ``post_id`` if there is one, else ids are ``<file stem>-<row>``, from 1
        (see :func:`choose_id_stems`).
    label_column : str, optional
        Column with the label; left out of the result if not given.
    group_columns : sequence of str
        Columns kept under their own name.

    Returns
    -------
    pandas.DataFrame
        Columns ``post_id, text`` and, where asked for, ``label`` and group columns, values as the file gives
        them: check them with :func:`screening.data.schema.validate_posts`.

    Raises
    ------
    DataAccessError
        If the file cannot be opened.
    SchemaError
        If it cannot be read as a table or lacks a named column.
    """
    path = Path(path)
    columns = Columns(text_column, label_column, id_column, groups=tuple(group_columns))
    files = list_tables(path) if path.is_dir() else [path]
    tables = [
        select_columns(read_table(file), columns, where=str(file), stem=stem)
        for file, stem in zip(files, choose_id_stems(files), strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def choose_id_stems(files: Sequence[Path]) -> list[str]:
    """Choose what the ids of each file's posts begin with where no column gives an id: its stem, made unique.

    Examples
    --------
    >>> choose_id_stems([Path("may/posts.csv"), Path("june/posts.csv"), Path("my notes.csv")])
    ['posts', 'posts.2', 'my-notes']
    """
    chosen: dict[str, None] = {}
    for file in files:
        marks = ("" if n == 1 else f".{n}" for n in itertools.count(1))
        candidates = (_make_id_stem(file.stem, mark) for mark in marks)
        chosen[next(candidate for candidate in candidates if candidate not in chosen)] = None
    return list(chosen)


def _make_id_stem(stem: str, mark: str = "") -> str:
    """Make a stem of at most 40 characters, without spaces and unusual ones, as ids have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem)[: 40 - len(mark)] + mark


def select_columns(table: pd.DataFrame, columns: Columns, *, where: str, stem: str) -> pd.DataFrame:
    """Bring a raw table into the toolkit's columns; ``where`` names the table in errors, ``stem`` begins made ids."""
    wanted = {"text": columns.text, "label": columns.label, "author_id": columns.author, "created_at": columns.date}
    named = {new: old for new, old in wanted.items() if old is not None}
    _refuse_reserved_names(columns.groups)
    named |= {name: name for name in columns.groups if name not in named}
    for old in named.values():
        require_column(table.columns, old, where)
    id_column = choose_id_column(table.columns, columns.id, columns.text, where)
    posts = pd.DataFrame({new: table[old].astype(object) for new, old in named.items()}, dtype=object)
    if id_column:
        post_ids = table[id_column].map(_read_name)
    else:
        plain = _make_id_stem(stem)
        post_ids = pd.Series([f"{plain}-{row}" for row in range(1, len(table) + 1)], index=table.index)
    posts.insert(0, "post_id", post_ids.astype(object))
    if "label" in posts:
        posts["label"] = posts["label"].map(lambda value: value.strip() if isinstance(value, str) else value)
    return posts


def _read_name(value: object) -> str:
    """Read the id or name in a cell; empty for no value, and for a list or an object, which are no name."""
    return str(value).strip() if is_one_value(value) and not is_missing(value) else ""


def _refuse_reserved_names(groups: Sequence[str]) -> None:
    taken = sorted(name for name in set(groups) if name in _RESERVED or name.startswith(_RESERVED_PREFIXES))
    if taken:
        message = f"group_columns {taken}: these names have a fixed meaning; rename the columns in the file"
        raise ConfigError(message)


def choose_id_column(columns: Iterable[object], asked: str | None, text_column: str, where: str) -> str | None:
    """Choose the column with the ids: the one asked for, else ``post_id`` if there is one, else ``None``.

    Raises
    ------
    SchemaError
        If there is no such column, or it is that of the texts: ids go where no text may, into scores and logs.
    """
    found = [str(column) for column in columns]
    id_column = asked or ("post_id" if "post_id" in found else None)
    if id_column is None:
        return None
    require_column(found, id_column, where)
    if id_column == text_column:
        message = f"{where}: the column {id_column!r} is to be both text and id; name the column that holds the ids"
        raise SchemaError(message)
    return id_column


def require_column(columns: Iterable[object], name: str, where: str) -> None:
    """Refuse a table without a column, naming the nearest it has.

    Raises
    ------
    SchemaError
    """
    found = [str(column) for column in columns]
    if name in found:
        return
    near = difflib.get_close_matches(name, found, n=1, cutoff=0.5)
    shown = show_columns(found) or "no column"
    hint = f"; did you mean {near[0]}?" if near and near[0] in shown.split(", ") else ""
    message = f"{where}: expected a column {name!r}, found {shown}{hint}"
    raise SchemaError(message)


def _refuse_machine_text(config: DataConfig) -> None:
    asked = {config.text_column, config.label_column, config.id_column, config.author_column, config.date_column}
    taken = [name for name in KNOWN_SOURCES[config.source].machine_text if name in {*asked, *config.group_columns}]
    if taken:
        message = f"data.source {config.source!r}: {taken} hold text made by a machine and are never read; name others"
        raise ConfigError(message)


def _read_posts(config: DataConfig) -> pd.DataFrame:
    known = KNOWN_SOURCES[config.source]
    columns = Columns(
        config.text_column,
        config.label_column,
        config.id_column,
        config.author_column,
        config.date_column or known.date_column,
        tuple(dict.fromkeys((*known.group_columns, *config.group_columns))),
    )
    if config.path is not None:
        return _read_path(config.path, columns, known)
    hub_id = config.hub_id or known.hub_id
    if hub_id is None:
        message = f"data.source {config.source!r} needs data.path: {known.how_to_get}"
        raise ConfigError(message)
    from screening.data.hub import read_hub_tables

    tables = read_hub_tables(hub_id, how_to_get=known.how_to_get)
    named = {SPLIT_BY_STEM.get(name, name): table for name, table in tables.items()}
    return _concatenate(
        {
            split: select_columns(table, columns, where=f"{hub_id} ({split})", stem=split)
            for split, table in named.items()
        }
    )


def _read_path(path: Path, columns: Columns, known: KnownSource) -> pd.DataFrame:
    if not path.exists():
        message = f"data.path {path} does not exist; {known.how_to_get}"
        raise DataAccessError(message)
    files = _find_split_files(path, known) if path.is_dir() else {WHOLE_SOURCE: path}
    return _concatenate(
        {
            split: select_columns(read_table(file), columns, where=str(file), stem=file.stem)
            for split, file in files.items()
        }
    )


def _find_split_files(folder: Path, known: KnownSource) -> dict[str, Path]:
    found: dict[str, Path] = {}
    tables = sorted(file for file in folder.iterdir() if file.suffix.lower() in TABLE_SUFFIXES)
    for file in tables:
        split = SPLIT_BY_STEM.get(file.stem.lower())
        if split is None:
            continue
        if split in found:
            message = f"{folder} has two files for the {split} split: {found[split].name} and {file.name}; keep one"
            raise SchemaError(message)
        found[split] = file
    if "train" not in found:
        names = [file.name for file in tables] or ["no CSV, JSONL or Parquet file"]
        message = (
            f"{folder}: expected a train file (and validation, test), found {', '.join(names)}; {known.how_to_get}"
        )
        raise DataAccessError(message)
    return {split: found[split] for split in SPLITS if split in found}


def _concatenate(by_split: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([posts.assign(source_split=split) for split, posts in by_split.items()], ignore_index=True)


def hide_author_names(posts: pd.DataFrame) -> pd.DataFrame:
    """Replace author names by numbers in order of appearance; no name goes further than this function.

    White space around a name does not make another author.

    Raises
    ------
    SchemaError
        If a cell holds a list or an object; rows are listed by id.
    """
    if "author_id" not in posts:
        return posts
    _refuse_several_authors(posts)
    names = posts["author_id"].map(_read_name)
    codes, _ = pd.factorize(names.where(~names.isin(_NO_AUTHOR)))
    numbered = [f"author-{code + 1:06d}" if code >= 0 else None for code in codes]
    return posts.assign(author_id=pd.Series(numbered, index=posts.index, dtype=object))


def choose_columns_there(found: Container[object], config: DataConfig) -> Columns:
    """Choose a data section's columns for a file beside the posts: ids, dates, groups may lack; no author is read."""
    known = KNOWN_SOURCES[config.source]
    date = config.date_column or known.date_column
    return Columns(
        config.text_column,
        config.label_column,
        id=config.id_column if config.id_column in found else None,
        date=date if date in found else None,
        groups=tuple(name for name in dict.fromkeys((*known.group_columns, *config.group_columns)) if name in found),
    )


def _refuse_several_authors(posts: pd.DataFrame) -> None:
    rows = [row for row, author in enumerate(posts["author_id"]) if not is_one_value(author)]
    if rows:
        message = (
            f"author column: expected one name in each row, found a list or an object in {len(rows)} rows "
            f"({list_rows(name_rows(posts), rows)}); write one name there, or leave it empty"
        )
        raise SchemaError(message)


def _read_controls(config: DataConfig) -> pd.DataFrame | None:
    path = config.controls
    if path is None and config.source == "reddit2013" and config.path is not None:
        shipped = config.path / "controls.csv"
        path = shipped if shipped.is_file() else None
    if path is None:
        return None
    table = read_table(path)
    columns = choose_columns_there(table.columns, config)
    if config.label_column not in table:
        columns = columns._replace(label=None)
    controls = select_columns(table, columns, where=str(path), stem=path.stem)
    kinds = controls["label"] if "label" in controls else pd.Series(None, index=controls.index, dtype=object)
    controls["label"] = kinds.map(lambda kind: kind if _read_name(kind) or not is_one_value(kind) else "control")
    return controls.rename(columns={"label": "control_kind"})
