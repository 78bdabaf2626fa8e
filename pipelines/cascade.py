"""The first stage of a run's cascade: fitted on training posts and some controls, its threshold chosen on validation.

It takes seconds and reads nothing of the calibration or test split, so a run gets one, or another one, by calibrating
again; the encoder is not trained again.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.run import RunContext
from screening.data.controls import divide_controls
from screening.data.preparation import load_split
from screening.exceptions import ConfigError
from screening.models.gate import Gate
from screening.thresholds.cascade import GateThreshold, choose_gate_threshold
from screening.types import Record

CARD_FILE = "first_stage.json"
ENCODER_FILE = "encoder_operating_points.json"  # what the encoder alone would promise, to compare with
GATE_SCORES_FILE = "gate_scores.parquet"
SPEED_FILE = "cascade_speed.json"
CONTROLS_KEY = 3  # a stream of its own: splits, scopes and robustness are drawn from the same seed


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
    """A fitted first stage, the gate score from which the encoder reads a post, and what both rest on."""

    gate: Gate
    threshold: GateThreshold
    card: FirstStageCard


def fit_first_stage(context: RunContext) -> FirstStage | None:
    """Fit the gate on training posts and the controls set aside, and choose its threshold on validation posts.

    Returns
    -------
    FirstStage or None
        ``None`` where the cascade is off.

    Raises
    ------
    ConfigError
        If there are no controls, or they cannot be divided.
    SchemaError
        If a risk target has no validation post.
    """
    config = context.config.cascade
    if not config.is_on:
        return None
    train, validation = (load_split(context.folder.split(name)) for name in ("train", "validation"))
    learnt, counted = _divide(context)
    risky = {label for target in context.taxonomy.targets for label in target.labels}
    is_risk = np.concatenate([train["label"].isin(risky), np.zeros(len(learnt), dtype=bool)])
    gate = Gate.fit([*train["text"], *learnt["text"]], is_risk, context.config.seed)
    threshold = choose_gate_threshold(
        gate.compute_scores(validation["text"].tolist()),
        validation["label"].to_numpy(),
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
    return FirstStage(gate, threshold, card)


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
