"""From a configured source to four clean splits and the card that accounts for every post."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.config import DataConfig
from screening.data.background import assign_background
from screening.data.card import (
    DataCard,
    FilterCount,
    check_leakage,
    count_posts,
    find_date_range,
    summarise_lengths,
    summarise_split,
)
from screening.data.cleaning import clean_text
from screening.data.deduplicate import find_repeats
from screening.data.schema import is_missing, parse_dates, validate_posts
from screening.data.sources import KNOWN_SOURCES, read_source
from screening.data.splitting import CONTROLS_RANK, SplitPlan, carve_splits, find_author_conflicts, plan_splits
from screening.exceptions import MissingArtifactError, SchemaError
from screening.taxonomy import Taxonomy
from screening.types import SPLITS, Split

if TYPE_CHECKING:
    import datasets

_CONTROLS = "controls"


@dataclass(frozen=True)
class PreparedData:
    """Clean posts by split, posts from outside the task, and the card that accounts for both.

    Each table has ``post_id, text, label`` (controls: ``control_kind``) and, where the source knows them,
    ``author_id`` (numbered), ``created_at`` and group columns.
    """

    splits: dict[Split, pd.DataFrame]
    controls: pd.DataFrame | None
    card: DataCard


def prepare_posts(config: DataConfig, taxonomy: Taxonomy, seed: int) -> PreparedData:
    """Read, check, clean, deduplicate and split the configured posts.

    Parameters
    ----------
    config : DataConfig
        Source, columns, fractions.
    taxonomy : Taxonomy
        Labels and their spellings; the tables hold names, not aliases.
    seed : int
        Decides the carving (and the synthetic corpus); the same seed gives the same digests.

    Returns
    -------
    PreparedData
        All four splits, each with at least one post.

    Raises
    ------
    ConfigError, DataAccessError
        See :func:`screening.data.sources.read_source`.
    SchemaError
        If any row breaks the schema (rows are listed by id or number), a class of the taxonomy has no post to train
        on, or a split would be empty. Nothing is written in any case: this function has no effects on disk.

    Notes
    -----
    A duplicate, and an author who posted in two kept splits, is dropped from the later split in the order train,
    validation, calibration, test, controls. Assumption of every promise made later: calibration posts are like the
    posts to come.
    """
    source = read_source(config, seed)
    posts = _join_controls(source.posts, source.controls)
    posts = _check_and_clean(posts, config, taxonomy)
    plan = plan_splits(set(posts["source_split"]) - {_CONTROLS}, config)
    filters = [
        count_posts("read", "posts read from the source", posts, "source_split"),
        count_posts("cleaned", "posts whose text changed in cleaning", posts[posts.pop("is_changed")], "source_split"),
    ]
    posts = _drop_conflicts(posts, plan, config, filters)
    posts["split"] = _assign_splits(posts, plan, np.random.default_rng(seed))
    if config.background:
        posts = assign_background(posts, config, taxonomy, np.random.default_rng([seed, 1]))
    _validate_training_classes(posts.loc[posts["split"] == "train", "label"], taxonomy)
    filters.append(count_posts("kept", "posts left, by final split", posts, "split"))
    frames = _divide(posts)
    return PreparedData(
        splits={split: frames[split] for split in SPLITS},
        controls=frames.get(_CONTROLS),
        card=_write_card(config, taxonomy, plan, tuple(filters), frames, seed),
    )


def load_split(path: Path | str) -> pd.DataFrame:
    """Read one split back from the run folder.

    Raises
    ------
    MissingArtifactError
        If the file is not there.
    """
    path = Path(path)
    if not path.is_file():
        message = f"{path} does not exist; run the prepare stage first"
        raise MissingArtifactError(message)
    return pd.read_parquet(path)


def to_dataset_dict(prepared: PreparedData) -> "datasets.DatasetDict":
    """Convert the four splits to a ``datasets.DatasetDict``."""
    import datasets

    return datasets.DatasetDict(
        {split: datasets.Dataset.from_pandas(frame, preserve_index=False) for split, frame in prepared.splits.items()}
    )


def _join_controls(posts: pd.DataFrame, controls: pd.DataFrame | None) -> pd.DataFrame:
    """Put posts and controls in one table; controls carry their kind as label and ``controls`` as split."""
    if controls is None:
        return posts
    renamed = controls.rename(columns={"control_kind": "label"}).assign(source_split=_CONTROLS)
    return pd.concat([posts, renamed], ignore_index=True)


def _check_and_clean(posts: pd.DataFrame, config: DataConfig, taxonomy: Taxonomy) -> pd.DataFrame:
    is_control = posts["source_split"] == _CONTROLS
    groups = [str(name) for name in posts if name not in _OWN_COLUMNS]
    where = f"source {config.source}"
    validate = partial(validate_posts, max_characters=config.max_characters, group_columns=groups)
    validate(posts[~is_control], labels=taxonomy.name_by_text.keys(), where=where)
    controls = posts[is_control].rename(columns={"label": "control_kind"})
    validate(controls, group_columns=[*groups, "control_kind"], where=f"controls of {where}")
    validate(posts, where=f"{where} with controls")
    texts = posts["text"].map(clean_text)
    cleaned = posts.assign(text=texts, is_changed=texts != posts["text"])
    validate(cleaned, where=f"{where} after cleaning")
    cleaned["label"] = cleaned["label"].where(is_control, cleaned["label"].map(taxonomy.name_by_text))
    return fix_types(cleaned)


_OWN_COLUMNS = ("post_id", "text", "label", "author_id", "created_at", "source_split")


def fix_types(posts: pd.DataFrame) -> pd.DataFrame:
    """Give checked columns their final types: strings and times."""
    typed = {name: posts[name].astype("str") for name in ("post_id", "text", "label", "source_split") if name in posts}
    if "author_id" in posts:
        typed["author_id"] = posts["author_id"].astype("str")
    if "created_at" in posts:
        typed["created_at"] = parse_dates(posts["created_at"])
    for name in posts.columns.difference([*_OWN_COLUMNS, "is_changed"]):
        typed[name] = posts[name].map(lambda value: None if is_missing(value) else str(value)).astype("str")
    return posts.assign(**typed)


def _drop_conflicts(
    posts: pd.DataFrame, plan: SplitPlan, config: DataConfig, filters: list[FilterCount]
) -> pd.DataFrame:
    """Drop duplicates and authors' posts from the later split, and append what was dropped to ``filters``."""
    posts = posts.assign(rank=[_find_rank(split, plan) for split in posts["source_split"]])
    posts = posts.sort_values("rank", kind="stable", ignore_index=True)

    def drop(step: str, description: str, marks: NDArray[np.bool_]) -> pd.DataFrame:
        filters.append(count_posts(step, description, posts[marks], "source_split"))
        return posts[~marks].reset_index(drop=True)

    similarity = config.near_duplicate_similarity
    exact, near = find_repeats(posts["text"].tolist(), similarity)
    posts = drop("exact_duplicates", "dropped: repeats an earlier post", exact)
    words = f"dropped: word 5-gram Jaccard similarity >= {similarity:g} to an earlier post"
    posts = drop("near_duplicates", words, near[~exact])
    if "author_id" in posts:
        marks = find_author_conflicts(posts["author_id"], posts["rank"].to_numpy())
        posts = drop("author_conflicts", "dropped: the author also stands in an earlier split", marks)
    return posts.drop(columns="rank")


def _find_rank(source_split: str, plan: SplitPlan) -> int:
    return CONTROLS_RANK if source_split == _CONTROLS else plan.find_rank(source_split)


def _assign_splits(posts: pd.DataFrame, plan: SplitPlan, rng: np.random.Generator) -> pd.Series:
    splits = posts["source_split"].astype(object)
    is_pooled = ~splits.isin([*plan.kept, _CONTROLS])
    if plan.carved:
        pool = posts[is_pooled]
        groups = pool.get("author_id")
        splits[is_pooled] = carve_splits(pool["label"], groups, plan.carved, rng)
    return splits


def _validate_training_classes(labels: pd.Series, taxonomy: Taxonomy) -> None:
    """Refuse a train split that lacks a class: no later stage can learn, calibrate or compare it."""
    found = set(labels)
    if len(found) < 2:
        message = f"training needs posts of at least two classes, found {len(found)}; check the label column"
        raise SchemaError(message)
    missing = [name for name in taxonomy.names if name not in found]
    if missing:
        message = (
            f"training needs posts of every class of taxonomy {taxonomy.name}; the train split has 0 posts of "
            f"{', '.join(missing)}. Add such posts, or set data.taxonomy to a YAML file of your own labels"
        )
        raise SchemaError(message)


def _divide(posts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One table per split; a group column no post of the split has is left out of it."""
    frames = {}
    for split in (*SPLITS, _CONTROLS):
        frame = posts[posts["split"] == split].drop(columns=["split", "source_split"]).reset_index(drop=True)
        if frame.empty and split == _CONTROLS:
            continue
        if frame.empty:
            message = f"no posts are left for the {split} split after dropping duplicates and author conflicts"
            raise SchemaError(message)
        frame = frame.rename(columns={"label": "control_kind"}) if split == _CONTROLS else frame
        frames[str(split)] = frame.dropna(axis="columns", how="all")
    return frames


def _write_card(
    config: DataConfig,
    taxonomy: Taxonomy,
    plan: SplitPlan,
    filters: tuple[FilterCount, ...],
    frames: dict[str, pd.DataFrame],
    seed: int,
) -> DataCard:
    first_date, last_date = find_date_range(frames)
    known = KNOWN_SOURCES[config.source]
    location = str(config.path) if config.path else config.hub_id or known.hub_id
    return DataCard(
        source=config.source,
        location=None if config.source == "synthetic" else location,
        licence=known.licence,
        is_synthetic=config.source == "synthetic",
        taxonomy=taxonomy.name,
        label_meaning=taxonomy.label_meaning,
        seed=seed,
        kept_splits=plan.kept,
        carved_shares={str(split): share for split, share in plan.carved.items()},
        near_duplicate_similarity=config.near_duplicate_similarity,
        filters=filters,
        splits={split: summarise_split(frame) for split, frame in frames.items()},
        leakage=check_leakage(frames, config.near_duplicate_similarity),
        lengths_words={split: summarise_lengths(frame) for split, frame in frames.items()},
        first_date=first_date,
        last_date=last_date,
    )
