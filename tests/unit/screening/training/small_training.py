"""A training small enough for a test: its settings, its run, and callbacks that break it off or look at its weights."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import TrainerCallback

from screening.config import RunConfig, load_config
from screening.taxonomy import load_taxonomy
from screening.training.fitting import FittedClassifier, fit_classifier

TAXONOMY = load_taxonomy("mh5")
WORDS = ["tired", "today", "happy", "sleep", "dog"]


def make_config(encoder: Path, *overrides: str, **training: Any) -> RunConfig:
    """Two epochs of small batches, saved often; ``training`` changes its settings, ``overrides`` any."""
    settings = {"epochs": 2, "batch_size": 4, "learning_rate": 0.003, "save_every_steps": 5, "n_threads": 1} | training
    model = [f"model.encoder={encoder}", "model.max_tokens=16"]
    return load_config(overrides=[*model, *(f"training.{k}={v}" for k, v in settings.items()), *overrides])


def fit(
    config: RunConfig, posts: pd.DataFrame, folder: Path, *callbacks: Any, validation: pd.DataFrame | None = None
) -> FittedClassifier:
    """Train in a folder, or go on there; every second post validates unless others are given."""
    folder.mkdir(exist_ok=True)
    validation = posts.iloc[::2] if validation is None else validation
    return fit_classifier(config, TAXONOMY, posts, validation, folder, callbacks=callbacks)


def save_classifier(folder: Path, classifier: Any, tokenizer: Any) -> Path:
    classifier.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class Interrupted(Exception):  # noqa: N818  stands for a kill
    pass


class InterruptEvaluation(TrainerCallback):
    """Break off in the middle of the n-th evaluation, as a kill would."""

    def __init__(self, at: int) -> None:
        self.at, self.n_evaluations = at, 0

    def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        self.n_evaluations += 1

    def on_prediction_step(self, *args: Any, **kwargs: Any) -> None:
        if self.n_evaluations == self.at:
            raise Interrupted


class InterruptStep(TrainerCallback):
    """Break off after the n-th step of all phases, as a kill would."""

    def __init__(self, at: int) -> None:
        self.left = at

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise Interrupted


class Starts(TrainerCallback):
    """Copy the weights at the start of each phase, and note what the phase is called."""

    def __init__(self) -> None:
        self.weights: list[dict[str, torch.Tensor]] = []
        self.names: list[str] = []

    def on_train_begin(self, args: Any, *others: Any, **kwargs: Any) -> None:
        self.names.append(args.run_name)
        self.weights.append({name: value.clone() for name, value in kwargs["model"].state_dict().items()})
