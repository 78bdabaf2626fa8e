"""A training interrupted in an evaluation ends like one that was left alone."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import TrainerCallback

from screening.config import RunConfig, load_config
from screening.taxonomy import load_taxonomy
from screening.training.fitting import FittedClassifier, fit_classifier

TAXONOMY = load_taxonomy("mh5")
WORDS = ["tired", "today", "happy", "sleep", "dog"]


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


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory, bert_classifier: Any, bert_tokenizer: Any) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    bert_classifier.encoder.save_pretrained(folder)
    bert_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def posts() -> pd.DataFrame:
    labels = [name for name in TAXONOMY.names for _ in range(8)]
    texts = [f"i feel {WORDS[i // 8]} my {'so ' * (i % 4)}{WORDS[i % 5]}" for i in range(len(labels))]
    return pd.DataFrame({"text": texts, "label": labels})


def make_config(encoder: Path, **training: Any) -> RunConfig:
    settings = {"epochs": 2, "batch_size": 4, "learning_rate": 0.003, "save_every_steps": 5, "n_threads": 1} | training
    overrides = [f"model.encoder={encoder}", "model.max_tokens=16", *(f"training.{k}={v}" for k, v in settings.items())]
    return load_config(overrides=overrides)


def fit(config: RunConfig, posts: pd.DataFrame, folder: Path, *callbacks: Any) -> FittedClassifier:
    folder.mkdir(exist_ok=True)
    return fit_classifier(config, TAXONOMY, posts, posts.iloc[::2], folder, callbacks=callbacks)


def weights_of(fitted: FittedClassifier) -> list[torch.Tensor]:
    return list(fitted.classifier.parameters())


@pytest.mark.parametrize("ema_decay", ["null", "0.9"])
@pytest.mark.parametrize("at", [1, 2])
def test_training_broken_off_in_an_evaluation_ends_with_the_same_weights(
    at: int, ema_decay: str, encoder: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    config = make_config(encoder, ema_decay=ema_decay)
    alone = fit(config, posts, tmp_path / "alone")
    with pytest.raises(Interrupted):
        fit(config, posts, tmp_path / "broken", InterruptEvaluation(at))
    resumed = fit(config, posts, tmp_path / "broken")
    assert all(torch.equal(a, b) for a, b in zip(weights_of(alone), weights_of(resumed), strict=True))
    assert alone.history["eval_macro_f1"].dropna().tolist() == resumed.history["eval_macro_f1"].dropna().tolist()
    assert len(resumed.history["eval_macro_f1"].dropna()) == 2


def test_finished_training_is_not_trained_on(encoder: Path, posts: pd.DataFrame, tmp_path: Path) -> None:
    config = make_config(encoder)
    first = fit(config, posts, tmp_path / "run")
    again = fit(config, posts, tmp_path / "run", InterruptEvaluation(1))
    assert all(torch.equal(a, b) for a, b in zip(weights_of(first), weights_of(again), strict=True))


def test_early_stopped_training_stays_stopped(encoder: Path, posts: pd.DataFrame, tmp_path: Path) -> None:
    # nothing is learned at this rate: the first evaluation stays the best
    config = make_config(encoder, epochs=6, learning_rate=1e-12, early_stopping_patience=2)
    first = fit(config, posts, tmp_path / "run")
    assert first.history["eval_macro_f1"].notna().sum() == 3
    again = fit(config, posts, tmp_path / "run", InterruptEvaluation(1))
    assert again.history["eval_macro_f1"].notna().sum() == 3
