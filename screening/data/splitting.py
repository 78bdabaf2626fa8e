"""Which posts train, validate, calibrate and test: kept splits stay, the rest is carved by label and author."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.config import DataConfig
from screening.exceptions import ConfigError, SchemaError
from screening.types import SPLITS, Record, Split

CONTROLS_RANK = len(SPLITS)  # controls come after every split: they lose duplicates to all of them


class SplitPlan(Record):
    """How the splits a source gives become the four splits of a run.

    ``kept`` stay as they are; posts of every other source split are pooled and carved into ``carved`` (share of the
    pool per split, summing to 1).
    """

    kept: tuple[Split, ...]
    carved: dict[Split, float]

    def find_rank(self, source_split: str) -> int:
        """Precedence of a source split's posts (0 first): on a conflict, the higher rank loses its post."""
        if source_split in self.kept:
            return SPLITS.index(source_split)
        return min(SPLITS.index(split) for split in self.carved)


def plan_splits(present: set[str], config: DataConfig) -> SplitPlan:
    """Decide which source splits are kept and what is carved from the others.

    Parameters
    ----------
    present : set of str
        Split names the source gives; any other name (``"all"``) is pooled.
    config : DataConfig
        ``keep_splits`` and the three fractions.

    Returns
    -------
    SplitPlan
        If every present split is kept, what is missing is carved from ``train``. If ``train`` is kept and something
        else is pooled, the pool is divided among the missing splits in proportion to their fractions.

    Raises
    ------
    ConfigError
        If nothing is left to carve from, or the fractions leave nothing for training.
    """
    kept = tuple(split for split in SPLITS if split in present and split in config.keep_splits)
    missing = tuple(split for split in SPLITS if split not in kept)
    has_pool = bool(present - set(kept))
    if not missing and not has_pool:
        return SplitPlan(kept=kept, carved={})
    if not has_pool:
        if "train" not in kept:
            message = f"splits {list(missing)} have to be carved, but the source gives only {sorted(present)}, all kept"
            raise ConfigError(message)
        kept, missing = kept[1:], ("train", *missing)
    return SplitPlan(kept=kept, carved=share_splits(missing, config))


def share_splits(missing: tuple[Split, ...], config: DataConfig) -> dict[Split, float]:
    """Say which share of pooled posts each missing split gets; they sum to 1.

    Raises
    ------
    ConfigError
        If the fractions leave nothing for training.
    """
    fractions: dict[Split, float] = {
        "validation": config.validation_fraction,
        "calibration": config.calibration_fraction,
        "test": config.test_fraction,
    }
    shares: dict[Split, float] = {split: fractions[split] for split in missing if split != "train"}
    total = sum(shares.values())
    if "train" not in missing:
        return {split: share / total for split, share in shares.items()}
    if total >= 1:
        message = f"data fractions {shares} sum to {total:g}; they must leave posts to train on (sum below 1)"
        raise ConfigError(message)
    return {"train": 1 - total, **shares}


def find_author_conflicts(author_ids: pd.Series, ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark posts whose author also stands in a split of lower rank; posts without an author are never marked."""
    first = pd.Series(ranks, index=author_ids.index).groupby(author_ids, dropna=True).transform("min")
    return ((first < ranks) & author_ids.notna()).to_numpy(dtype=bool)


def carve_splits(
    labels: pd.Series, groups: pd.Series | None, shares: Mapping[Split, float], rng: np.random.Generator
) -> NDArray[np.object_]:
    """Divide posts so that label proportions are kept and no group stands in two splits.

    Parameters
    ----------
    labels : Series of length n
        Class of each post.
    groups : Series of length n or None
        Author of each post; missing values are groups of their own.
    shares : mapping of split to float
        Share of all posts per split, summing to 1.
    rng : numpy.random.Generator
        Order of posts and groups.

    Returns
    -------
    (n,) ndarray of str
        Split of each post. Without groups of several posts, each label's counts are within one of its share.

    Raises
    ------
    SchemaError
        If a split would stay empty.

    Notes
    -----
    Groups of several posts go first, largest first, each to the split where it raises Pearson's chi-square distance
    Σ (count - target)² / target least; single posts then fill what is open per label (largest remainder).
    """
    codes = pd.Categorical(labels).codes.astype(np.int64)
    targets = np.outer(list(shares.values()), np.bincount(codes))  # (n_splits, n_labels)
    sizes = groups.groupby(groups).transform("size").fillna(1).to_numpy() if groups is not None else np.ones(len(codes))
    assigned = np.full(len(codes), -1)
    if groups is not None and (sizes > 1).any():
        _assign_groups(codes, groups.where(sizes > 1), targets, assigned, rng)
    _fill_single_posts(codes, targets, assigned, rng)
    names = np.array(list(shares), dtype=object)
    empty = [name for k, name in enumerate(names) if not (assigned == k).any()]
    if empty:
        message = (
            f"{len(codes)} posts are too few: splits {empty} would stay empty; give more posts or change fractions"
        )
        raise SchemaError(message)
    return names[assigned]


def _assign_groups(
    codes: NDArray[np.int64],
    groups: pd.Series,
    targets: NDArray[np.float64],
    assigned: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Write the split of every post in a named group into ``assigned``."""
    members = list(groups.reset_index(drop=True).groupby(groups.to_numpy()).indices.values())
    order = rng.permutation(len(members))
    filled = np.zeros_like(targets)
    for k in sorted(order, key=lambda k: -len(members[k])):
        counts = np.bincount(codes[members[k]], minlength=targets.shape[1])
        cost = (counts * (2 * (filled - targets) + counts) / np.maximum(targets, 1e-9)).sum(axis=1)
        split = int(np.argmin(cost))
        filled[split] += counts
        assigned[members[k]] = split


def _fill_single_posts(
    codes: NDArray[np.int64], targets: NDArray[np.float64], assigned: NDArray[np.int64], rng: np.random.Generator
) -> None:
    """Write the split of every post still at -1 into ``assigned``."""
    for code in np.unique(codes):
        is_label = codes == code
        open_posts = rng.permutation(np.flatnonzero(is_label & (assigned < 0)))
        filled = np.bincount(assigned[is_label & (assigned >= 0)], minlength=len(targets))
        wanted = np.maximum(targets[:, code] - filled, 0)
        quotas = _round_to_total(wanted / max(wanted.sum(), 1e-9) * len(open_posts), len(open_posts))
        assigned[open_posts] = np.repeat(np.arange(len(targets)), quotas)


def _round_to_total(values: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Round down, then give what is left to the largest remainders."""
    rounded = np.floor(values + 1e-9).astype(np.int64)
    by_remainder = np.argsort(rounded - values, kind="stable")
    n_left = total - int(rounded.sum())
    rounded[np.resize(by_remainder, max(n_left, 0))] += 1
    return rounded
