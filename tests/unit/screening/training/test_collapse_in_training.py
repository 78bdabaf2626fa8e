"""Trainings that really collapse, and the same ones at the same learning rate as shipped, which do not."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from screening.config import load_config
from screening.data.synthetic import generate_posts
from screening.exceptions import ConfigError
from screening.models.encoder import locate_embedded_encoder
from screening.taxonomy import load_taxonomy
from screening.training.fitting import fit_classifier, summarise_history

pytestmark = pytest.mark.slow
NAIVE = (
    "objective.is_normalised=false",
    "objective.temperature=0.07",
    "training.gradient_clip=1e6",
    "training.warmup_fraction=0",
    "training.scheduler=constant_with_warmup",
)
"""A contrastive loss as one would first write it down, under an optimiser without guards."""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In place of the shared encoder: two random layers that learn the synthetic posts a little, small for a test."""
    folder = tmp_path_factory.mktemp("encoder")
    AutoTokenizer.from_pretrained(locate_embedded_encoder()).save_pretrained(folder)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = BertConfig(**sizes, intermediate_size=64, max_position_embeddings=64)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def train(encoder: Path, folder: Path, *overrides: str) -> pd.DataFrame:
    posts = generate_posts(400, seed=3)
    settings = ["training.epochs=4", "training.learning_rate=0.003", "training.n_threads=1"]
    model = [f"model.encoder={encoder}", "model.max_tokens=32", "training.early_stopping_patience=9"]
    config = load_config(overrides=[*model, *settings, *overrides])
    folder.mkdir()
    fitted = fit_classifier(config, load_taxonomy("mh5"), posts.iloc[:300], posts.iloc[300:], folder)
    return summarise_history(fitted.history)


PRESETS = {
    "scl_joint": ("objective.preset=scl_joint",),
    "lcl": ("objective.preset=lcl",),
    "lcl, head": ("objective.preset=lcl", "objective.weighting_network=head"),
}


@pytest.mark.parametrize("name", PRESETS)
def test_naive_settings_collapse_and_are_called_out_where_the_presets_own_do_not(
    name: str, encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = PRESETS[name]
    ours = train(encoder, tmp_path / "ours", *own).iloc[-1]
    with caplog.at_level(logging.WARNING, logger="screening"):
        caplog.clear()
        naive = train(encoder, tmp_path / "naive", *own, *NAIVE)
    assert naive["validation_is_collapsed"].iloc[-1] == 1
    n_collapsed = naive["validation_is_collapsed"].sum()
    assert sum("The training has collapsed" in message for message in caplog.messages) == n_collapsed
    assert ours["validation_is_collapsed"] == 0
    assert ours["validation_macro_f1"] > naive["validation_macro_f1"].iloc[-1]


def test_a_training_that_diverges_ends_with_what_to_set(encoder: Path, tmp_path: Path) -> None:
    settings = ("training.learning_rate=1e30", "training.warmup_fraction=0", "training.epochs=1")
    with pytest.raises(ConfigError, match=r"the training has diverged.* training\.learning_rate"):
        train(encoder, tmp_path / "diverged", *settings)
