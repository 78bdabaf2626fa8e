"""CARL's stage before training: what the training starts from, what is left of the stage, and kills."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import TrainerCallback

from screening.config import RunConfig, load_config
from screening.exceptions import ConfigError
from screening.training.fitting import fit_classifier, summarise_history
from screening.training.pretraining import plan_pretraining
from tests.unit.screening.training.small_training import (
    TAXONOMY,
    WORDS,
    Interrupted,
    InterruptStep,
    Starts,
    fit,
    make_config,
)

EXPECTED_PARTS = {"encoder", "class_head", "valence_head", "intensity_head"}


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    rows = [(f"my {WORDS[i % 5]} is {'so ' * (i % 3)}{WORDS[i // 5 % 5]}", 1 + i % 5, 5 - i // 10) for i in range(50)]
    pd.DataFrame(rows, columns=["text", "valence", "arousal"]).drop_duplicates("text").to_csv(path, index=False)
    return path


def make_carl_config(encoder: Path, ratings: Path | None, *more: str) -> RunConfig:
    carl = ["objective.preset=carl", "objective.queue_size=20", "pretraining.epochs=2", "pretraining.low=0"]
    rated = [f"pretraining.path={ratings}"] if ratings else []
    return make_config(encoder, *carl, *rated, *more, epochs=1, batch_size=8, save_every_steps=2)


class CountKeyPasses(TrainerCallback):
    """Count the momentum network's passes up to the end of every step."""

    def __init__(self) -> None:
        self.n_passes = 0
        self.by_step: list[int] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        kwargs["model"].training_parts["momentum_keys"].network.register_forward_hook(self.count)

    def count(self, *_: Any) -> None:
        self.n_passes += 1

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.n_passes = 0

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.by_step.append(self.n_passes)


def test_keys_of_a_step_are_computed_once_for_saliency_and_loss(
    encoder: Path, ratings: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    passes = CountKeyPasses()
    fit(make_carl_config(encoder, ratings), posts, tmp_path / "run", passes)
    assert set(passes.by_step) == {1}


def test_training_starts_from_the_pretrained_encoder_and_fresh_heads(
    encoder: Path, ratings: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    starts = Starts()
    fitted = fit(make_carl_config(encoder, ratings), posts, tmp_path / "run", starts)
    before, after = starts.weights
    assert starts.names == ["pre-training", "training"]
    heads = {name for name in after if not name.startswith(("encoder.", "training_parts."))}
    assert all(torch.equal(before[name], after[name]) for name in heads)
    moved = [name for name in after if name.startswith("encoder.") and not torch.equal(before[name], after[name])]
    assert len(moved) > 10
    key_network = "training_parts.momentum_keys.network."
    assert all(torch.equal(after[name], after[key_network + name]) for name in moved)  # starts anew, from these
    assert after["training_parts.momentum_keys.queue.n_seen"] == 0

    fitted.classifier.save_pretrained(tmp_path / "saved")
    loaded = type(fitted.classifier).from_pretrained(tmp_path / "saved")
    assert {name.partition(".")[0] for name in loaded.state_dict()} == EXPECTED_PARTS
    assert {name.partition(".")[0] for name in fitted.classifier.state_dict()} == EXPECTED_PARTS
    assert all(weight.requires_grad for weight in fitted.classifier.parameters())


def test_history_has_rows_of_both_stages(encoder: Path, ratings: Path, posts: pd.DataFrame, tmp_path: Path) -> None:
    history = summarise_history(fit(make_carl_config(encoder, ratings), posts, tmp_path / "run").history)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["train_loss_ce"].notna().tolist() == [False, False, True]
    for column in ("train_loss_mccl", "train_loss_ptd", "validation_loss"):
        assert history[column].notna().all()
    assert history["validation_macro_f1"].notna().tolist() == [False, False, True]
    assert (history["validation_effective_rank"] > 1).all()
    assert history["validation_is_collapsed"].isin([0, 1]).all()


@pytest.mark.parametrize("at", [3, 5, 9, 13])
def test_training_broken_off_in_either_stage_ends_with_the_same_weights(
    at: int, encoder: Path, ratings: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    config = make_carl_config(encoder, ratings, "training.ema_decay=0.9")
    alone = fit(config, posts, tmp_path / "alone")
    with pytest.raises(Interrupted):
        fit(config, posts, tmp_path / "broken", InterruptStep(at))
    resumed = fit(config, posts, tmp_path / "broken")
    pairs = zip(alone.classifier.parameters(), resumed.classifier.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert alone.history["eval_loss"].dropna().tolist() == resumed.history["eval_loss"].dropna().tolist()


def test_other_presets_can_be_pretrained_too(encoder: Path, ratings: Path, posts: pd.DataFrame, tmp_path: Path) -> None:
    starts = Starts()
    config = make_carl_config(encoder, ratings, "objective.preset=cross_entropy", "pretraining.detection_weight=0")
    history = summarise_history(fit(config, posts, tmp_path / "run", starts).history)
    assert starts.names == ["pre-training", "training"]
    assert not any(name.startswith("training_parts.") for name in starts.weights[1])
    assert "train_loss_ptd" not in history
    assert history["train_loss_mccl"].notna().tolist() == [True, True, False]


@pytest.mark.parametrize(("name", "precision"), [("gru", "fp32"), ("", "bf16")])
def test_recurrent_encoders_and_bf16_go_through_both_stages(
    name: str, precision: str, encoder: Path, ratings: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    config = make_carl_config(Path(name) if name else encoder, ratings, "pretraining.epochs=1")
    fitted = fit_classifier(config, TAXONOMY, posts, posts.iloc[::2], tmp_path, precision=precision)
    losses = summarise_history(fitted.history)[["train_loss_mccl", "train_loss_ptd", "validation_loss"]]
    assert losses.notna().all(axis=None)
    assert all(weight.isfinite().all() for weight in fitted.classifier.parameters())


def test_preset_without_rated_sentences_is_refused_with_what_to_set(
    encoder: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--set pretraining\.path=FILE.*preset=cross_entropy .*weights\.mccl=0\.1"):
        fit(make_carl_config(encoder, None), posts, tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize(
    "more", [(), ("objective.schedule=two_phase", "objective.classifier_epochs=1"), ("objective.projection_size=3",)]
)
def test_terms_can_be_put_on_any_preset(
    more: tuple[str, ...], encoder: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    weights = ("objective.preset=cmhl", "objective.weights.mccl=0.2", "objective.weights.ptd=0.1")
    config = make_carl_config(encoder, None, *weights, "objective.n_views=2", *more)
    history = summarise_history(fit(config, posts, tmp_path / "run").history)
    assert {"train_loss_mccl", "train_loss_ptd", "train_loss_valence_intensity"} <= set(history)


def test_stage_keeps_the_objectives_settings_and_the_trainings_batch() -> None:
    overrides = ["objective.preset=scl_two_phase", "objective.temperature=0.7", "training.batch_size=8"]
    phase = plan_pretraining(load_config(overrides=[*overrides, "pretraining.epochs=7", "pretraining.path=x.csv"]))
    assert (phase.config.training.epochs, phase.config.training.batch_size, phase.config.training.best_by) == (
        7,
        8,
        "loss",
    )
    assert phase.config.objective.temperature == 0.7
    assert {name: weight for name, weight in phase.config.objective.weights.items() if weight} == {
        "mccl": 1.0,
        "ptd": 1.0,
    }
