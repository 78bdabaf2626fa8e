"""Labelled posts of one's own, as a bundle's promise is made on or held against them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.artifacts import RunFolder
from screening.config import DataConfig
from screening.data.cleaning import clean_labelled_posts
from screening.data.deduplicate import find_repeats
from screening.data.file_readers import read_table
from screening.data.preparation import load_split
from screening.data.schema import is_missing
from screening.data.sources import Columns, hide_author_names, select_columns
from screening.exceptions import ConfigError
from screening.scoring import MAX_CHARACTERS
from screening.taxonomy import Taxonomy

MIN_SUSPICIOUS = 20  # so many posts, all of them flagged, were hardly drawn whatever their score
OTHER = "none"  # label of posts that are none of the taxonomy's; so is an empty cell


def read_labelled_posts(path: Path, columns: Columns, taxonomy: Taxonomy) -> pd.DataFrame:
    """Read, check and clean labelled posts; labels become the taxonomy's names, or ``none``, authors numbers.

    Raises
    ------
    ConfigError
        If a column is missing or no group's, or the posts are a sample of ``screening audit``.
    SchemaError
        If a row is bad; rows are listed by id.
    """
    taken = (columns.text, columns.label, columns.id, columns.author)
    if wrong := [name for name in columns.groups if name in taken]:
        message = f"--group-column {', '.join(wrong)}: that column is read as something else and cannot name groups"
        raise ConfigError(message)
    table = read_table(path)
    if "stratum" in table and "triage" in table:
        message = (
            f"{path} is a sample of `screening audit`, which reads flagged and unflagged posts in different shares; a "
            "promise needs posts drawn at random, each as likely as any other"
        )
        raise ConfigError(message)
    posts = hide_author_names(select_columns(table, columns, where=str(path), stem=path.stem))
    labels = posts["label"].map(lambda label: OTHER if is_missing(label) or label == "" else label)
    names = {OTHER: OTHER} | taxonomy.name_by_text
    posts, _ = clean_labelled_posts(
        posts.assign(label=labels), names, max_characters=MAX_CHARACTERS, group_columns=columns.groups, where=str(path)
    )
    return posts


def load_run_texts(bundle_dir: Path, run_id: str, splits: Sequence[str]) -> list[str] | None:
    """Load the posts of a run's splits, if the bundle still lies in that run."""
    folder = RunFolder(bundle_dir.resolve().parent)
    record = folder.read_record()
    files = [folder.split(name) for name in splits]
    if record is None or record.run_id != run_id or not all(file.is_file() for file in files):
        return None
    return [text for file in files for text in load_split(file)["text"]]


def drop_repeats(posts: pd.DataFrame, met: Sequence[str]) -> pd.DataFrame:
    """Drop posts that repeat one met before, or an earlier one of the file, exactly or nearly."""
    similarity = DataConfig.model_fields["near_duplicate_similarity"].default
    repeats = find_repeats(posts["text"].tolist(), similarity, met)
    return posts[~np.any(repeats, axis=0)].reset_index(drop=True)


def refuse_flagged_only(scores: pd.DataFrame) -> None:
    """Refuse posts of which every one is flagged: they were chosen for it, unless the caller knows better.

    Raises
    ------
    ConfigError
    """
    if len(scores) >= MIN_SUSPICIOUS and (scores["triage"] != "no_flag").all():
        message = (
            f"every one of the {len(scores):,} posts is flagged by this bundle. Posts that were labelled because they "
            "were flagged say nothing of those it misses: label posts drawn whatever their score. If these were, and "
            "it flags nearly everything there, add --random-sample"
        )
        raise ConfigError(message)
