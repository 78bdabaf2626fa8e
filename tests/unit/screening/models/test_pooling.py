"""Layers and tokens to one vector: against plain sums, and for models saved before there was a choice of layers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from screening.exceptions import ConfigError
from screening.models.classifier import RiskClassifier, RiskConfig
from screening.models.pooling import LayerAttention, compute_mean_pooling


def test_layer_attention_starts_as_the_last_layer_plus_the_mean_of_all() -> None:
    layers = torch.tensor([[[1.0, 0.0]], [[3.0, 6.0]]])
    assert LayerAttention(2)(layers[1], layers).tolist() == [[5.0, 9.0]]


def test_layer_attention_with_one_score_far_ahead_takes_that_layer() -> None:
    attention = LayerAttention(3)
    torch.nn.init.constant_(attention.scores[1:2].data, 50.0)
    layers = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(attention(layers[2], layers), layers[2] + layers[1])


@pytest.fixture
def attentive_classifier(bert_classifier: Any) -> RiskClassifier:
    torch.manual_seed(0)
    config = RiskConfig.from_dict(bert_classifier.config.to_dict() | {"layers": "attentive"})
    return RiskClassifier(config).eval()


def test_attentive_classifier_pools_every_layer_of_its_encoder(attentive_classifier: RiskClassifier) -> None:
    ids, mask = torch.randint(5, 30, (3, 6)), torch.tensor([[1] * 6, [1] * 4 + [0] * 2, [1] * 6])
    hidden = attentive_classifier.encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    pooled = [compute_mean_pooling(layer, mask) for layer in hidden[1:]]  # two layers
    expected = pooled[-1] + (pooled[0] + pooled[1]) / 2
    torch.testing.assert_close(attentive_classifier(input_ids=ids, attention_mask=mask).pooled, expected)


def test_gradient_reaches_the_layers_scores(attentive_classifier: RiskClassifier) -> None:
    attentive_classifier(input_ids=torch.randint(5, 30, (3, 6))).logits.sum().backward()
    assert attentive_classifier.layer_attention is not None
    assert attentive_classifier.layer_attention.scores.grad.abs().sum() > 0


def test_saved_scores_of_layers_load_again(attentive_classifier: RiskClassifier, tmp_path: Path) -> None:
    torch.nn.init.normal_(attentive_classifier.layer_attention.scores)
    attentive_classifier.save_pretrained(tmp_path)
    loaded = RiskClassifier.from_pretrained(tmp_path)
    assert torch.equal(loaded.layer_attention.scores, attentive_classifier.layer_attention.scores)


def test_model_saved_before_there_was_a_choice_of_layers_loads_unchanged(bert_classifier: Any, tmp_path: Path) -> None:
    bert_classifier.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    del settings["layers"]
    (tmp_path / "config.json").write_text(json.dumps(settings))
    loaded = RiskClassifier.from_pretrained(tmp_path).eval()
    assert loaded.layer_attention is None
    assert loaded.state_dict().keys() == bert_classifier.state_dict().keys()
    ids = torch.tensor([[2, 10, 11, 3]])
    torch.testing.assert_close(loaded(input_ids=ids).logits, bert_classifier(input_ids=ids).logits)


def test_one_layer_is_not_weighed_against_itself() -> None:
    with pytest.raises(ConfigError, match=r"model\.layers: attentive"):
        RiskClassifier.from_encoder("gru", ("a", "b"), layers="attentive")
