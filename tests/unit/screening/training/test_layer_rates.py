"""Layer-wise learning rates: which weights lie how deep, and what that does to them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from screening.exceptions import ConfigError
from screening.models.classifier import RiskClassifier
from screening.training.layer_rates import compute_depths, split_by_depth
from tests.unit.screening.training.small_training import Interrupted, InterruptEvaluation, fit, make_config


def test_depth_counts_down_from_the_heads_to_the_word_embeddings(bert_classifier: Any) -> None:
    depths = compute_depths(bert_classifier)
    n_layers = bert_classifier.encoder.config.num_hidden_layers
    assert {depths["class_head.weight"], depths["valence_head.bias"]} == {0}
    assert {depths[name] for name in depths if f".layer.{n_layers - 1}." in name} == {1}
    assert {depths[name] for name in depths if ".layer.0." in name} == {n_layers}
    assert {depths[name] for name in depths if "embeddings" in name} == {n_layers + 1}


def test_groups_keep_every_weight_once_and_their_own_settings(bert_classifier: Any) -> None:
    weights = list(bert_classifier.parameters())
    groups = [
        {"params": weights[:7], "lr": 0.1, "weight_decay": 0.5},
        {"params": weights[7:], "lr": 0.1, "weight_decay": 0.0},
    ]
    split = split_by_depth(groups, bert_classifier, 0.5)
    assert sorted(id(weight) for group in split for weight in group["params"]) == sorted(map(id, weights))
    embeddings = id(bert_classifier.get_input_embeddings().weight)
    (found,) = [group for group in split if embeddings in map(id, group["params"])]
    n_layers = bert_classifier.encoder.config.num_hidden_layers
    assert found["lr"] == pytest.approx(0.1 * 0.5 ** (n_layers + 1))
    assert found["weight_decay"] == 0.5


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_an_encoder_without_a_stack_of_layers_is_refused(cell: str) -> None:
    classifier, _ = RiskClassifier.from_encoder(cell, ("a", "b"), max_tokens=16)
    groups = [{"params": list(classifier.parameters()), "lr": 0.1}]
    with pytest.raises(ConfigError, match=r"no stack of layers to tell apart; set training\.layer_decay=null"):
        split_by_depth(groups, classifier, 0.5)


def test_a_training_that_cannot_tell_layers_apart_is_refused(posts: Any, tmp_path: Path) -> None:
    config = make_config(Path("gru"), layer_decay=0.8)
    with pytest.raises(ConfigError, match="no stack of layers"):
        fit(config, posts, tmp_path / "run")
    fit(make_config(Path("gru"), epochs=1), posts, tmp_path / "plain")


def test_a_steep_decay_trains_heads_and_hardly_the_encoder(encoder: Path, posts: Any, tmp_path: Path) -> None:
    def measure_change(decay: float | None) -> tuple[float, float]:
        from screening.models.encoder import load_encoder

        before, _ = load_encoder(str(encoder))
        after = fit(make_config(encoder, layer_decay=decay or "null"), posts, tmp_path / str(decay)).classifier.encoder
        words = "embeddings.word_embeddings.weight"
        return tuple(  # type: ignore[return-value]
            float((after.state_dict()[name] - before.state_dict()[name]).abs().max())
            for name in (words, "encoder.layer.1.output.dense.weight")
        )

    flat, steep = measure_change(None), measure_change(0.1)
    assert steep[0] < 0.02 * flat[0]  # two layers and the embeddings: a thousandth of the rate
    assert 0.02 * flat[1] < steep[1] < 0.5 * flat[1]


def test_an_interrupted_training_with_layer_rates_ends_alike(encoder: Path, posts: Any, tmp_path: Path) -> None:
    config = make_config(encoder, layer_decay=0.8)
    whole = fit(config, posts, tmp_path / "whole")
    with pytest.raises(Interrupted):
        fit(config, posts, tmp_path / "broken", InterruptEvaluation(1))
    resumed = fit(config, posts, tmp_path / "broken")
    for name, weight in whole.classifier.state_dict().items():
        assert torch.equal(weight, resumed.classifier.state_dict()[name]), name
