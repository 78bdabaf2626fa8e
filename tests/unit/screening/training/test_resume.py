"""A training interrupted in an evaluation ends like one that was left alone."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from screening.training.fitting import FittedClassifier
from tests.unit.screening.training.small_training import Interrupted, InterruptEvaluation, fit, make_config


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
