"""Sentences that people rated for valence and arousal, such as EmoBank's: what CARL's pre-training learns from."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from screening.config import PretrainingConfig
from screening.data.cleaning import clean_text
from screening.data.file_readers import list_tables, read_table, show_columns
from screening.data.sources import SPLIT_BY_STEM
from screening.exceptions import SchemaError

MAX_LISTED = 20
_VALIDATION_NAMES = tuple(stem for stem, split in SPLIT_BY_STEM.items() if split == "validation")


@dataclass(frozen=True)
class RatedSentences:
    """Columns ``text``, ``valence`` and ``arousal``, both ratings in [-1, 1].

    Attributes
    ----------
    train, validation : DataFrame
        No text stands in both.
    """

    train: pd.DataFrame
    validation: pd.DataFrame


def load_ratings(path: Path, config: PretrainingConfig, seed: int) -> RatedSentences:
    """Read rated sentences and map their scale to the circumplex.

    Parameters
    ----------
    path : path
        A folder with one file named train and one named validation (others are left alone), or one file, of which
        ``config.validation_fraction`` is drawn for validation.
    config : PretrainingConfig
        Names of the columns, and the ends of the scale.
    seed : int

    Raises
    ------
    SchemaError
        If a file or column is missing, or a row has no text or no rating on the scale; rows are named by number.
    DataAccessError
        If the file cannot be read.
    """
    if path.is_dir():
        train = _read_ratings(_find_split(path, ("train",)), config)
        validation = _read_ratings(_find_split(path, _VALIDATION_NAMES), config)
    else:
        rated = _read_ratings(path, config)
        order = np.random.default_rng(seed).permutation(len(rated))
        n_validation = max(round(config.validation_fraction * len(rated)), 1)
        train, validation = rated.iloc[order[n_validation:]], rated.iloc[order[:n_validation]]
    validation = validation[~validation["text"].isin(train["text"])]
    if train.empty or validation.empty:
        message = (
            f"{path}: expected rated sentences to train on and others to validate with, found {len(train)} and "
            f"{len(validation)}; texts that stand in both count for training"
        )
        raise SchemaError(message)
    return RatedSentences(train.reset_index(drop=True), validation.reset_index(drop=True))


def count_rated(rated: RatedSentences, texts: Iterable[str]) -> int:
    """Count the rated sentences that are, once cleaned, one of these cleaned texts."""
    known = set(texts)
    return sum(clean_text(text) in known for text in (*rated.train["text"], *rated.validation["text"]))


def _find_split(folder: Path, names: tuple[str, ...]) -> Path:
    found = [file for file in list_tables(folder) if file.stem.lower() in names]
    if len(found) != 1:
        message = f"{folder}: expected one file named {' or '.join(names)}, found {len(found)}; or name one file"
        raise SchemaError(message)
    return found[0]


def _read_ratings(path: Path, config: PretrainingConfig) -> pd.DataFrame:
    table = read_table(path)
    columns = {config.text_column: "text", config.valence_column: "valence", config.arousal_column: "arousal"}
    missing = [name for name in columns if name not in table]
    if missing:
        message = (
            f"{path}: no column {', '.join(missing)} among {show_columns(list(table.columns))}; name them with "
            "pretraining.text_column, pretraining.valence_column and pretraining.arousal_column"
        )
        raise SchemaError(message)
    table = table[list(columns)].rename(columns=columns)
    rated = pd.DataFrame({"text": table["text"]})
    for name in ("valence", "arousal"):
        ratings = pd.to_numeric(table[name], errors="coerce").astype(float)
        rated[name] = 2 * (ratings - config.low) / (config.high - config.low) - 1
    is_text = table["text"].map(lambda text: isinstance(text, str) and bool(text.strip()))
    is_on_scale = rated[["valence", "arousal"]].abs().le(1 + 1e-9).all(axis=1)
    _refuse_rows(path, ~is_text, "no text")
    scale = f"from {config.low:g} to {config.high:g} (pretraining.low, pretraining.high)"
    _refuse_rows(path, ~is_on_scale, f"no valence or no arousal {scale}")
    return rated


def _refuse_rows(path: Path, is_bad: pd.Series, reason: str) -> None:
    if not is_bad.any():
        return
    numbers = np.flatnonzero(is_bad) + 1
    listed = ", ".join(str(number) for number in numbers[:MAX_LISTED])
    more = f" and {len(numbers) - MAX_LISTED} more" if len(numbers) > MAX_LISTED else ""
    message = f"{path}: {reason} in {len(numbers)} of {len(is_bad)} rows ({listed}{more}); mend or remove them"
    raise SchemaError(message)
