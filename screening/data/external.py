"""Labelled posts from another place or time: read, cleaned, and kept apart from every post the model has met."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from screening.config import DataConfig
from screening.data.card import FilterCount, SplitDigest, count_posts, summarise_split
from screening.data.cleaning import clean_labelled_posts
from screening.data.deduplicate import find_repeats
from screening.data.file_readers import read_table
from screening.data.preparation import fix_types
from screening.data.sources import choose_columns_there, select_columns
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
    read = _read(config, config.external)
    posts, is_changed = clean_labelled_posts(
        read,
        taxonomy.name_by_text,
        max_characters=config.max_characters,
        group_columns=[str(name) for name in read if name not in _OWN_COLUMNS],
        where=str(config.external),
    )
    posts = fix_types(posts).assign(split="external")
    filters = [count_posts("read", "posts read from the external file", posts, "split")]
    filters.append(count_posts("cleaned", "posts whose text changed in cleaning", posts[is_changed], "split"))
    similarity = config.near_duplicate_similarity
    repeats = find_repeats(posts["text"].tolist(), similarity, met_texts)
    described = (
        ("exact_duplicates", "dropped: repeats a post the model has met or an earlier external post"),
        ("near_duplicates", f"dropped: word 5-gram Jaccard similarity >= {similarity:g} to such a post"),
    )
    filters += [count_posts(*words, posts[marks], "split") for words, marks in zip(described, repeats, strict=True)]
    posts = posts[~np.any(repeats, axis=0)].reset_index(drop=True)
    filters.append(count_posts("kept", "external posts left", posts, "split"))
    if posts.empty:
        message = f"{config.external}: no post is left after dropping those that repeat posts the model has met"
        raise SchemaError(message)
    posts = posts.drop(columns="split").dropna(axis="columns", how="all")
    card = ExternalCard(location=str(config.external), filters=tuple(filters), posts=summarise_split(posts))
    return ExternalPosts(posts, card)


def _read(config: DataConfig, path: Path) -> pd.DataFrame:
    table = read_table(path)
    return select_columns(
        table, choose_columns_there(table.columns, config), where=str(path), stem=f"external-{path.stem}"
    )
