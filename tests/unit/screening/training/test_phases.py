"""Every preset trains to its end; phases follow each other, resume, and leave no part that only training needs."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from screening.config import RunConfig
from screening.objectives import PRESETS
from screening.taxonomy import Taxonomy
from screening.training.fitting import fit_classifier, summarise_history
from screening.training.phases import frozen_encoder, plan_phases
from screening.training.views import repeat_posts
from tests.unit.screening.training.small_training import (
    TAXONOMY,
    WORDS,
    Interrupted,
    InterruptEvaluation,
    Starts,
    fit,
    make_config,
)


def make_preset_config(encoder: Path, preset: str, *more: str) -> RunConfig:
    phases = ["objective.classifier_epochs=2"] if PRESETS[preset].schedule == "two_phase" else []
    return make_config(encoder, f"objective.preset={preset}", *phases, *more, batch_size=8)


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    rows = [(f"my {WORDS[i % 5]} is {'so ' * (i % 3)}{WORDS[i // 5]}", 1 + i % 5, 5 - i // 5) for i in range(25)]
    pd.DataFrame(rows, columns=["text", "valence", "arousal"]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_trains_and_logs_its_parts(
    preset: str, encoder: Path, teacher: Path, posts: pd.DataFrame, ratings: Path, tmp_path: Path
) -> None:
    needed: tuple[str, ...] = (f"pretraining.path={ratings}",) if PRESETS[preset].is_pretrained else ()
    needed += (f"objective.teachers=[{teacher}]",) if preset == "distillation" else ()
    fitted = fit(make_preset_config(encoder, preset, *needed), posts, tmp_path / "run")
    history = summarise_history(fitted.history)
    assert {f"train_loss_{term}" for term in PRESETS[preset].weights} <= set(history)
    assert {"validation_effective_rank", "validation_is_collapsed"} <= set(history)
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))
    fitted.classifier.save_pretrained(tmp_path / "saved")
    loaded = type(fitted.classifier).from_pretrained(tmp_path / "saved")
    parts = {name.partition(".")[0] for name in loaded.state_dict()}
    expected = {"encoder", "class_head", "valence_head", "intensity_head"}
    assert parts == expected | ({"layer_attention"} if preset == "layer_attentive" else set())
    assert all(weight.requires_grad for weight in fitted.classifier.parameters())
    assert loaded.config.has_trained_scales == ("valence_intensity" in PRESETS[preset].weights)


def test_heads_of_labels_without_coordinates_are_not_called_trained(
    encoder: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    labels = [{"name": label.name, "risk": label.risk} for label in TAXONOMY.labels]
    taxonomy = Taxonomy.model_validate(TAXONOMY.model_dump() | {"labels": labels})
    (tmp_path / "run").mkdir()
    config = make_preset_config(encoder, "cmhl", "training.epochs=1")
    fitted = fit_classifier(config, taxonomy, posts, posts.iloc[::2], tmp_path / "run")
    assert not fitted.classifier.config.has_trained_scales


@pytest.mark.parametrize("name", ["gru", "rnn"])
def test_recurrent_encoders_train_like_any_other(name: str, posts: pd.DataFrame, tmp_path: Path) -> None:
    fitted = fit(make_preset_config(Path(name), "cross_entropy", "training.epochs=1"), posts, tmp_path / "run")
    fitted.classifier.save_pretrained(tmp_path / "saved")
    loaded = type(fitted.classifier).from_pretrained(tmp_path / "saved").eval()
    ids = torch.tensor([[101, 2651, 102]])
    torch.testing.assert_close(loaded(input_ids=ids).logits, fitted.classifier(input_ids=ids).logits)


def test_second_phase_changes_the_heads_and_leaves_the_encoder(
    encoder: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    starts = Starts()
    fitted = fit(make_preset_config(encoder, "scl_two_phase"), posts, tmp_path / "run", starts)
    first, second = starts.weights
    after = fitted.classifier.state_dict()
    moved = {name for name in after if not torch.equal(second[name], after[name])}
    assert moved == {"class_head.weight", "class_head.bias"}
    assert any(not torch.equal(first[name], second[name]) for name in first if name.startswith("encoder."))
    assert fitted.history["loss_scl"].notna().any()
    assert fitted.history["eval_macro_f1"].notna().sum() == 4  # of both phases


@pytest.mark.parametrize(
    ("preset", "at"), [("scl_two_phase", 1), ("scl_two_phase", 3), ("lcl", 1), ("layer_attentive", 1)]
)
def test_training_broken_off_in_any_phase_ends_with_the_same_weights(
    preset: str, at: int, encoder: Path, posts: pd.DataFrame, tmp_path: Path
) -> None:
    config = make_preset_config(encoder, preset, "training.ema_decay=0.9")
    alone = fit(config, posts, tmp_path / "alone")
    with pytest.raises(Interrupted):
        fit(config, posts, tmp_path / "broken", InterruptEvaluation(at))
    resumed = fit(config, posts, tmp_path / "broken")
    pairs = zip(alone.classifier.parameters(), resumed.classifier.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_joint_schedule_is_one_phase_in_the_folder_itself() -> None:
    config = RunConfig()
    (phase,) = plan_phases(config)
    assert (phase.name, phase.config) == ("", config)


def test_frozen_encoder_gives_the_same_output_in_training_mode(build_classifier: Any) -> None:
    classifier = build_classifier("bert", 40)
    ids = torch.randint(5, 30, (2, 7), generator=torch.Generator().manual_seed(0))
    with frozen_encoder(classifier, is_frozen=True):
        classifier.train()
        first, second = (classifier(input_ids=ids) for _ in range(2))
        assert torch.equal(first.pooled, second.pooled)
        assert not torch.equal(first.logits, second.logits)  # the heads' dropout stays
    classifier.train()
    assert not torch.equal(classifier(input_ids=ids).pooled, first.pooled)


def test_views_stand_under_each_other() -> None:
    batch = {"input_ids": torch.tensor([[1, 2], [3, 4]]), "labels": torch.tensor([0, 1])}
    assert repeat_posts(batch, 2)["labels"].tolist() == [0, 0, 1, 1]
    assert repeat_posts(batch, 2)["input_ids"].tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    assert repeat_posts(batch, 1) is batch
