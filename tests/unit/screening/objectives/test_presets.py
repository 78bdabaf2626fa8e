"""Presets: the papers' numbers, the config's own choices over them, and what each needs beside the classifier."""

from pathlib import Path
from typing import Any

import pytest
import torch

from screening.config import ModelConfig, ObjectiveConfig
from screening.exceptions import ConfigError
from screening.models.classifier import RiskClassifierOutput
from screening.objectives import PRESETS, build_objective, build_training_parts, resolve_preset
from screening.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("mh5")
COUNTS = (30, 20, 10, 20, 20)


def make_outputs(n_posts: int) -> RiskClassifierOutput:
    generator = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    return RiskClassifierOutput(
        logits=draw(n_posts, 5),
        valence=draw(n_posts),
        intensity=draw(n_posts),
        pooled=draw(n_posts, 6),
        weighting_logits=draw(n_posts, 5),
        momentum_keys=draw(n_posts, 6),
        detection_logits=draw(n_posts, 4),
        detection_targets=torch.tensor([0.0, 1.0, 0.0, -100.0]).expand(n_posts, 4),
    )


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_logs_each_of_its_terms_and_has_a_gradient(name: str) -> None:
    objective = build_objective(ObjectiveConfig(preset=name), TAXONOMY, COUNTS)
    outputs = make_outputs(10)
    loss, parts = objective(outputs, torch.arange(10) % 5)
    loss.backward()
    assert set(parts) == set(PRESETS[name].weights)
    expected = sum(PRESETS[name].weights[term] * part for term, part in parts.items())
    torch.testing.assert_close(loss.detach(), expected)
    reached = {field for field, value in outputs.items() if value.grad is not None and value.grad.abs().sum() > 0}
    needed = {"logits"} if "ce" in parts else set()
    needed |= {"pooled"} if {"scl", "lcl", "mccl"} & set(parts) else set()
    needed |= {"detection_logits"} if "ptd" in parts else set()
    needed |= {"weighting_logits"} if {"lcl", "ce_weighting"} & set(parts) else set()
    assert needed <= reached
    assert "momentum_keys" not in reached


def test_presets_hold_the_papers_numbers() -> None:
    assert (PRESETS["scl_joint"].weights, PRESETS["scl_joint"].temperature) == ({"ce": 0.1, "scl": 0.9}, 0.3)
    assert PRESETS["lcl"].weights == {"ce": 0.5, "ce_weighting": 0.5, "lcl": 0.5}
    assert (PRESETS["lcl"].temperature, PRESETS["lcl"].n_views) == (0.3, 2)


def test_cmhl_minimises_what_it_did_before_there_were_contrastive_terms() -> None:
    torch.manual_seed(11)
    outputs = RiskClassifierOutput(
        logits=torch.randn(6, 5), valence=torch.rand(6), intensity=torch.rand(6), pooled=torch.randn(6, 4)
    )
    loss, parts = build_objective(ObjectiveConfig(), TAXONOMY, COUNTS)(outputs, torch.tensor([0, 1, 2, 3, 4, 0]))
    assert set(parts) == {"ce", "valence_intensity", "contradiction"}
    assert loss.item() == pytest.approx(2.7176630, abs=1e-6)  # computed by the code of that time


def test_config_goes_over_the_preset() -> None:
    config = ObjectiveConfig(preset="lcl", weights={"ce": 1.0, "ce_weighting": 0}, temperature=10, is_normalised=False)
    preset = resolve_preset(config)
    assert preset.weights == {"ce": 1.0, "lcl": 0.5}
    assert (preset.temperature, preset.is_normalised, preset.n_views) == (10, False, 2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"preset": "scl_two_phase", "weights": {"ce": 0}}, "another term for the second"),
        ({"preset": "cross_entropy", "schedule": "two_phase"}, "needs a term of scl"),
    ],
)
def test_two_phases_need_a_term_each(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        resolve_preset(ObjectiveConfig(**changes))


def test_weight_of_contrastive_terms_ramps_up_and_that_of_others_does_not() -> None:
    objective = build_objective(ObjectiveConfig(preset="layer_attentive"), TAXONOMY, COUNTS)
    outputs, labels = make_outputs(10), torch.arange(10) % 5
    losses = {progress: objective(outputs, labels, progress)[0].item() for progress in (0.0, 0.25, 0.5, 1.0)}
    parts = objective(outputs, labels)[1]
    weight = PRESETS["layer_attentive"].weights["scl"]
    assert losses[0.0] == pytest.approx(parts["ce"].item(), abs=1e-6)
    assert losses[0.25] == pytest.approx((parts["ce"] + 0.5 * weight * parts["scl"]).item(), abs=1e-6)
    assert losses[0.5] == losses[1.0] == pytest.approx((parts["ce"] + weight * parts["scl"]).item(), abs=1e-6)


def test_only_objectives_that_need_them_get_training_parts() -> None:
    model = ModelConfig(encoder="gru")
    build = {name: build_training_parts(preset, model, 8, 5) for name, preset in PRESETS.items()}
    assert {name: set(parts) for name, parts in build.items() if parts} == {
        "lcl": {"weighting_logits"},
        "carl": {"detection_logits"},  # and a momentum network, which copies the classifier
    }


@pytest.mark.parametrize("kind", ["encoder", "head"])
def test_weighting_network_weighs_every_class(
    kind: str, bert_classifier: Any, bert_tokenizer: Any, tmp_path: Path
) -> None:
    bert_classifier.encoder.save_pretrained(tmp_path)
    bert_tokenizer.save_pretrained(tmp_path)
    preset = resolve_preset(ObjectiveConfig(preset="lcl", weighting_network=kind, projection_size=3))
    parts = build_training_parts(preset, ModelConfig(encoder=str(tmp_path)), 32, 5)
    ids = torch.randint(5, 30, (4, 9))
    pooled = torch.randn(4, 32, requires_grad=True)
    logits = parts["weighting_logits"](ids, torch.ones_like(ids), pooled)
    logits.square().sum().backward()
    assert logits.shape == (4, 5)
    assert (pooled.grad is not None) == (kind == "head")  # a second encoder reads the post itself
    assert all(weight.grad is not None for weight in parts["weighting_logits"].parameters())
    assert parts["projected"](ids, None, pooled).shape == (4, 3)
