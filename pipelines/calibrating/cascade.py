"""The first stage of a run's cascade: fitted on training posts and some controls, its threshold chosen beside them.

The threshold is chosen on training and validation posts, each scored by a gate that was fitted without it: a small
share of an urgent target's posts can only be seen among many. All this takes seconds and reads nothing of the
calibration or test split, so a run gets a first stage, or another one, by calibrating again; the encoder is not trained
again.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.run import RunContext
from screening.data.controls import divide_controls
from screening.data.preparation import load_split
from screening.exceptions import ConfigError
from screening.models.gate import Gate
from screening.thresholds.cascade import GateThreshold, choose_gate_threshold
from screening.thresholds.scope import AUTHOR_COLUMN, number_authors
from screening.types import Record

CARD_FILE = "first_stage.json"
ENCODER_FILE = "encoder_operating_points.json"  # what the encoder alone would promise, to compare with
HELD_OUT_FILE = "gate_scores.parquet"
GATE_SCORES_FILE = "gate_scores.parquet"
SPEED_FILE = "cascade_speed.json"
CONTROLS_KEY, FOLDS_KEY = 3, 4  # streams of their own: splits, scopes and robustness are drawn from the same seed
N_FOLDS = 5
HELD_OUT = "held out"  # the gate scores of training and validation posts, each by a gate that did not learn from it


class ControlGroups(Record):
    """Controls of one kind on one side: how many, and of which groups (empty where single posts were drawn)."""

    kind: str
    n_posts: int
    groups: tuple[str, ...]


class FirstStageCard(Record):
    """What a first stage was fitted on, and which controls alerts are counted on."""

    threshold: GateThreshold
    intercept: float
    n_training_posts: int
    training_controls: tuple[ControlGroups, ...]
    counted_controls: tuple[ControlGroups, ...]


class CascadeSpeed(Record):
    """What both stages took where the run was evaluated; the encoder also read the cleared posts."""

    n_gate_posts: int
    gate_seconds: float
    n_encoder_posts: int
    n_encoder_tokens: int
    encoder_seconds: float


@dataclass(frozen=True)
class FirstStage:
    """A fitted first stage, the gate score from which the encoder reads a post, and what both rest on.

    ``held_out`` has ``split``, ``post_id``, ``label`` and ``gate_score``: what the threshold was chosen on.
    """

    gate: Gate
    threshold: GateThreshold
    card: FirstStageCard
    held_out: pd.DataFrame


def fit_first_stage(context: RunContext) -> FirstStage | None:
    """Fit the gate on training posts and the controls set aside, and choose its threshold on held-out scores.

    Returns
    -------
    FirstStage or None
        ``None`` where the cascade is off.

    Raises
    ------
    ConfigError
        If there are no controls, or they cannot be divided.
    SchemaError
        If a risk target has no post.
    """
    config = context.config.cascade
    if not config.is_on:
        return None
    train = load_split(context.folder.split("train"))
    learnt, counted = _divide(context)
    texts, is_risk = [*train["text"], *learnt["text"]], _mark_risk(context, train, len(learnt))
    gate = Gate.fit(texts, is_risk, context.config.seed)
    held_out = _score_held_out(context, gate, train, texts, is_risk)
    threshold = choose_gate_threshold(
        held_out["gate_score"].to_numpy(),
        held_out["label"].to_numpy(),
        context.taxonomy.targets,
        max_lost_fraction=config.max_lost_fraction,
        highest=gate.intercept,
    )
    card = FirstStageCard(
        threshold=threshold,
        intercept=gate.intercept,
        n_training_posts=len(train),
        training_controls=_list_groups(learnt, config.control_group_column),
        counted_controls=_list_groups(counted, config.control_group_column),
    )
    return FirstStage(gate, threshold, card, held_out)


def _mark_risk(context: RunContext, train: pd.DataFrame, n_controls: int) -> NDArray[np.bool_]:
    risky = {label for target in context.taxonomy.targets for label in target.labels}
    return np.concatenate([train["label"].isin(risky), np.zeros(n_controls, dtype=bool)])


def _score_held_out(
    context: RunContext, gate: Gate, train: pd.DataFrame, texts: list[str], is_risk: NDArray[np.bool_]
) -> pd.DataFrame:
    """Score training and validation posts, each with a gate that was fitted without it."""
    validation = load_split(context.folder.split("validation"))
    rng = np.random.default_rng(np.random.SeedSequence(context.config.seed, spawn_key=(FOLDS_KEY,)))
    authors = number_authors(train) if AUTHOR_COLUMN in train else np.arange(len(train))
    folds = np.full(len(texts), -1)
    folds[: len(train)] = rng.permutation(int(authors.max()) + 1)[authors] % N_FOLDS
    by_others = Gate.score_held_out(texts, is_risk, folds, context.config.seed)[: len(train)]
    together = pd.concat([train, validation], ignore_index=True)[["post_id", "label"]]
    scores = np.concatenate([by_others, gate.compute_scores(validation["text"].tolist())])
    return together.assign(split=HELD_OUT, gate_score=scores)


def require_controls(controls: pd.DataFrame | None) -> pd.DataFrame:
    """Refuse a cascade without posts from outside the task.

    Raises
    ------
    ConfigError
        If there are none.
    """
    if controls is None or controls.empty:
        message = (
            "cascade.is_on is true, but there are no posts from outside the task, and a first stage that never met a "
            "harmless post knows none. Set data.controls to a file of them and prepare again, or cascade.is_on to false"
        )
        raise ConfigError(message)
    return controls


def load_counted_controls(context: RunContext) -> pd.DataFrame:
    """Load the controls that alerts are counted on: all of them, less what the first stage of a cascade learnt from."""
    if context.config.cascade.is_on:
        return _divide(context)[1]
    return load_split(context.folder.split("controls"))


def load_learnt_controls(context: RunContext) -> pd.DataFrame:
    """Load the controls that the first stage of a cascade learns from; the cascade must be on."""
    return _divide(context)[0]


def score_first_stage(context: RunContext, gate: Gate, names: Sequence[str]) -> tuple[pd.DataFrame, float]:
    """Score posts with the gate alone.

    Returns
    -------
    table : DataFrame
        ``split``, ``post_id``, ``label`` (the kind, for controls) and ``gate_score``, one row per post. No text.
    seconds : float
        What the gate took, reading the posts left out.
    """
    parts, seconds = [], 0.0
    for name in names:
        posts = load_counted_controls(context) if name == "controls" else load_split(context.folder.split(name))
        texts = posts["text"].tolist()
        started = time.perf_counter()
        scores = gate.compute_scores(texts)
        seconds += time.perf_counter() - started
        labels = posts["control_kind" if name == "controls" else "label"]
        columns = {"split": name, "post_id": posts["post_id"], "label": labels, "gate_score": scores}
        parts.append(pd.DataFrame(columns).astype({"split": "str"}))
    return pd.concat(parts, ignore_index=True), seconds


def _divide(context: RunContext) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide the controls by seed into those to learn from and those to count alerts on."""
    path, config = context.folder.split("controls"), context.config.cascade
    controls = require_controls(load_split(path) if path.exists() else None)
    is_training = divide_controls(
        controls,
        training_fraction=config.training_controls_fraction,
        group_column=config.control_group_column,
        rng=np.random.default_rng(np.random.SeedSequence(context.config.seed, spawn_key=(CONTROLS_KEY,))),
    )
    return controls[is_training].reset_index(drop=True), controls[~is_training].reset_index(drop=True)


def _list_groups(controls: pd.DataFrame, column: str | None) -> tuple[ControlGroups, ...]:
    return tuple(
        ControlGroups(
            kind=str(kind),
            n_posts=len(part),
            groups=tuple(sorted(part[column].dropna().astype(str).unique())) if column else (),
        )
        for kind, part in controls.groupby("control_kind", sort=True)
    )
