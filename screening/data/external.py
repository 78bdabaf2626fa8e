"""Labelled posts from another place or time: read, cleaned, and kept apart from every post the model has met."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.config import DataConfig
from screening.data.card import FilterCount, SplitDigest, count_posts, summarise_split
from screening.data.cleaning import clean_text
from screening.data.deduplicate import find_exact_duplicates, find_near_duplicates
from screening.data.file_readers import read_table
from screening.data.preparation import fix_types
from screening.data.schema import validate_posts
from screening.data.sources import KNOWN_SOURCES, Columns, select_columns
from screening.exceptions import ConfigError, SchemaError
from screening.taxonomy import Taxonomy
from screening.types import Record

_OWN_COLUMNS = ("post_id", "text", "label", "created_at")


class ExternalCard(Record):
    """Where external posts come from, what each step dropped, and what is left; counts and digests only."""

    location: str
    filters: tuple[FilterCount, ...]
    posts: SplitDigest


class ExternalPosts(NamedTuple):
    """Clean external posts (``post_id, text, label``, date and group columns where the file has them), their card."""

    posts: pd.DataFrame
    card: ExternalCard


def prepare_external_posts(config: DataConfig, taxonomy: Taxonomy, met_texts: Sequence[str]) -> ExternalPosts:
    """Read, check and clean the external file, and drop every post that repeats one the model has met.

    Parameters
    ----------
    config : DataConfig
        ``external`` names the file. Text and label columns are those of the other posts; id, date and group columns
        are read where the file has them; ids made here start with ``external-``. No author is read.
    taxonomy : Taxonomy
        Labels and their spellings.
    met_texts : sequence of str
        Clean texts of the training, validation and calibration posts, and of the controls a first stage learnt from;
        they have no duplicates among them.

    Returns
    -------
    ExternalPosts

    Raises
    ------
    ConfigError
        If no external file is named.
    DataAccessError
        If the file cannot be opened.
    SchemaError
        If it lacks a column, a row breaks the schema (rows are listed by id, never by text), or no post is left.

    Notes
    -----
    An author with posts here and among the training posts is not seen: authors of two files cannot be matched.
    """
    if config.external is None:
        message = "expected data.external to name a labelled file, found none; set it, or leave this part out"
        raise ConfigError(message)
    posts, is_changed = _read_and_clean(config, config.external, taxonomy)
    filters = [count_posts("read", "posts read from the external file", posts, "split")]
    filters.append(count_posts("cleaned", "posts whose text changed in cleaning", posts[is_changed], "split"))
    posts = _drop_met(posts, met_texts, config.near_duplicate_similarity, filters)
    filters.append(count_posts("kept", "external posts left", posts, "split"))
    if posts.empty:
        message = f"{config.external}: no post is left after dropping those that repeat posts the model has met"
        raise SchemaError(message)
    posts = posts.drop(columns="split").dropna(axis="columns", how="all")
    card = ExternalCard(location=str(config.external), filters=tuple(filters), posts=summarise_split(posts))
    return ExternalPosts(posts, card)


def _read_and_clean(config: DataConfig, path: Path, taxonomy: Taxonomy) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return checked posts with names as labels, and marks of those whose text changed in cleaning."""
    where = str(path)
    posts = _read(config, path)
    groups = [str(name) for name in posts if name not in _OWN_COLUMNS]
    labels = taxonomy.index_by_text.keys()
    validate_posts(posts, labels=labels, max_characters=config.max_characters, group_columns=groups, where=where)
    texts = posts["text"].map(clean_text)
    is_changed = (texts != posts["text"]).to_numpy()
    posts = posts.assign(
        text=texts, label=posts["label"].map(lambda label: taxonomy.names[taxonomy.index_by_text[label]])
    )
    validate_posts(posts, max_characters=config.max_characters, where=f"{where} after cleaning")
    return fix_types(posts).assign(split="external"), is_changed


def _read(config: DataConfig, path: Path) -> pd.DataFrame:
    table = read_table(path)
    known = KNOWN_SOURCES[config.source]
    date = config.date_column or known.date_column
    groups = dict.fromkeys((*known.group_columns, *config.group_columns))
    columns = Columns(
        config.text_column,
        config.label_column,
        config.id_column if config.id_column in table else None,
        None,
        date if date in table else None,
        tuple(name for name in groups if name in table),
    )
    return select_columns(table, columns, where=str(path), stem=f"external-{path.stem}")


def _drop_met(
    posts: pd.DataFrame, met_texts: Sequence[str], similarity: float, filters: list[FilterCount]
) -> pd.DataFrame:
    """Drop exact, then near duplicates of met posts and of earlier external posts; count them in ``filters``."""
    steps = (
        (
            "exact_duplicates",
            "dropped: repeats a post the model has met or an earlier external post",
            find_exact_duplicates,
        ),
        (
            "near_duplicates",
            f"dropped: word 5-gram Jaccard similarity >= {similarity:g} to such a post",
            lambda texts: find_near_duplicates(texts, similarity),
        ),
    )
    for step, description, find in steps:
        marks = find([*met_texts, *posts["text"]])[len(met_texts) :]
        filters.append(count_posts(step, description, posts[marks], "split"))
        posts = posts[~marks].reset_index(drop=True)
    return posts
