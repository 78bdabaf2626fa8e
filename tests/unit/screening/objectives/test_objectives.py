"""Every objective against numbers worked by hand, a limit, and the parts its gradient must reach."""

import math
from typing import Any

import pytest
import torch

from screening.config import ObjectiveConfig
from screening.exceptions import ConfigError
from screening.models.classifier import RiskClassifierOutput
from screening.objectives import OBJECTIVES, PRESETS, build_objective
from screening.objectives.contradiction import Contradiction
from screening.objectives.cross_entropy import CrossEntropy
from screening.objectives.lcl import LabelAwareContrastive
from screening.objectives.mccl import ContinuousContrast
from screening.objectives.registry import compute_class_weights
from screening.objectives.scl import SupervisedContrastive
from screening.objectives.valence_intensity import ValenceIntensity
from screening.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("mh5")
COUNTS = (30, 20, 10, 20, 20)


def make_outputs(logits: torch.Tensor, valence: float = 0.0, intensity: float = 0.5) -> RiskClassifierOutput:
    n, generator = len(logits), torch.Generator().manual_seed(2)
    return RiskClassifierOutput(
        logits=logits,
        valence=torch.full((n,), valence).to(logits.dtype).requires_grad_(),
        intensity=torch.full((n,), intensity).to(logits.dtype).requires_grad_(),
        pooled=torch.randn(n, 4, generator=generator).to(logits.dtype).requires_grad_(),
        weighting_logits=torch.randn(logits.shape, generator=generator).to(logits.dtype).requires_grad_(),
        teacher_probabilities=torch.full(logits.shape, 1 / logits.shape[1]),
        momentum_keys=torch.randn(n, 4, generator=generator).to(logits.dtype),
        detection_logits=torch.randn(n, 3, generator=generator).to(logits.dtype).requires_grad_(),
        detection_targets=torch.tensor([0.0, 1.0, -100.0]).expand(n, 3),
    )


def test_cross_entropy_of_equal_logits_is_the_log_of_the_number_of_classes() -> None:
    loss = CrossEntropy()(make_outputs(torch.zeros(3, 5)), torch.tensor([0, 1, 4]))
    assert loss.item() == pytest.approx(math.log(5), abs=1e-6)


def test_balanced_class_weights_have_mean_one_over_posts() -> None:
    weights = compute_class_weights(COUNTS, "balanced")
    assert weights is not None
    assert (weights * torch.tensor(COUNTS)).sum().item() == pytest.approx(sum(COUNTS))
    assert weights[2] == weights.max()  # the rarest class


def test_class_without_posts_gets_weight_zero_not_infinity() -> None:
    weights = compute_class_weights((4, 0), "balanced")
    assert weights is not None
    assert weights.tolist() == [0.5, 0.0]


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_weighted_cross_entropy_is_torchs_and_nothing_where_every_label_has_weight_zero(label_smoothing: float) -> None:
    loss = CrossEntropy(torch.tensor([0.5, 2.0, 0.0]), label_smoothing)
    outputs = make_outputs(torch.randn(6, 3, generator=torch.Generator().manual_seed(4)).requires_grad_())
    labels = torch.tensor([0, 1, 2, 1, 0, 2])
    expected = torch.nn.functional.cross_entropy(
        outputs.logits, labels, weight=loss.class_weights, label_smoothing=label_smoothing
    )
    torch.testing.assert_close(loss(outputs, labels), expected)
    nothing = loss(outputs, torch.full((6,), 2))
    nothing.backward()
    assert nothing.item() == 0
    assert outputs.logits.grad is not None
    assert outputs.logits.grad.abs().max() == 0


def test_valence_intensity_is_half_the_squared_error_weighted_by_certainty() -> None:
    loss = ValenceIntensity(torch.tensor([-0.9, 0.1]), torch.tensor([1.0, 0.2]), torch.tensor([1.0, 0.25]))
    outputs = make_outputs(torch.zeros(2, 2), valence=0.1, intensity=0.5)
    # post 0: 0.5*(1.0² + 0.5²) = 0.625; post 1: 0.25 * 0.5*(0² + 0.3²) = 0.01125; the mean of both
    assert loss(outputs, torch.tensor([0, 1])).item() == pytest.approx((0.625 + 0.01125) / 2, abs=1e-6)


def test_valence_intensity_is_its_formula_post_by_post_and_of_one_post() -> None:
    generator = torch.Generator().manual_seed(6)
    targets = [2 * torch.rand(5, generator=generator) - 1, torch.rand(5, generator=generator)]
    weights, labels = torch.rand(5, generator=generator), torch.tensor([3, 0, 0, 4, 1])
    found = [3 * torch.randn(5, generator=generator), torch.rand(5, generator=generator)]
    loss = ValenceIntensity(*targets, weights)

    def compute_one(i: int) -> float:
        errors = [abs(float(head[i] - target[labels[i]])) for head, target in zip(found, targets, strict=True)]
        return float(weights[labels[i]]) * sum(e**2 / 2 if e <= 1 else e - 0.5 for e in errors)

    outputs = RiskClassifierOutput(logits=torch.zeros(5, 5), valence=found[0], intensity=found[1])
    costs = [compute_one(i) for i in range(5)]
    assert loss(outputs, labels).item() == pytest.approx(sum(costs) / 5, abs=1e-6)
    alone = RiskClassifierOutput(logits=torch.zeros(1, 5), valence=found[0][:1], intensity=found[1][:1])
    assert loss(alone, labels[:1]).item() == pytest.approx(costs[0], abs=1e-6)


def test_contradiction_a_of_equal_probabilities_is_pairs_over_classes_squared() -> None:
    loss = Contradiction(((0, 1), (2, 3)), torch.zeros(5), "A")
    assert loss(make_outputs(torch.zeros(4, 5)), torch.zeros(4, dtype=torch.long)).item() == pytest.approx(2 / 25)


def test_contradiction_b_costs_nothing_until_two_scores_exceed_one_together() -> None:
    loss = Contradiction(((0, 1),), torch.zeros(2), "B")
    labels = torch.zeros(1, dtype=torch.long)
    assert loss(make_outputs(torch.tensor([[5.0, -6.0]])), labels).item() == 0
    both = torch.tensor([[10.0, 10.0]])
    assert loss(make_outputs(both), labels).item() == pytest.approx(1.0, abs=1e-3)


def test_contradiction_c_compares_the_valence_head_with_the_class_head() -> None:
    loss = Contradiction((), torch.tensor([1.0, -1.0]), "C")
    outputs = make_outputs(torch.zeros(1, 2), valence=0.5)  # expected valence of equal classes is 0
    assert loss(outputs, torch.zeros(1, dtype=torch.long)).item() == pytest.approx(0.25, abs=1e-6)


def test_contradiction_without_pairs_is_zero() -> None:
    for form in ("A", "B"):
        loss = Contradiction((), torch.zeros(3), form)  # type: ignore[arg-type]  # a literal
        assert loss(make_outputs(torch.randn(2, 3)), torch.zeros(2, dtype=torch.long)).item() == 0


PAIRS, VALENCE = ((0, 1), (2, 3), (0, 4)), torch.tensor([-0.8, 0.6, 0.1, 0.4, -0.2])


def compute_contradiction_one_by_one(form: str, logits: torch.Tensor, valence: torch.Tensor) -> float:
    """Post by post and pair by pair."""
    costs = []
    for row, v in zip(logits.detach().double(), valence.detach().double(), strict=True):
        p, s = torch.softmax(row, 0), torch.sigmoid(row)
        by_form = {
            "A": sum(p[a] * p[b] for a, b in PAIRS),
            "B": sum(max(torch.zeros(()).double(), s[a] + s[b] - 1) ** 2 for a, b in PAIRS),
            "C": (v - sum(p[c] * VALENCE[c] for c in range(5))) ** 2,
        }
        costs.append(float(by_form[form]))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("form", ["A", "B", "C"])
def test_each_contradiction_is_its_formula_over_several_pairs_in_fp32_and_bf16(form: Any) -> None:
    loss = Contradiction(PAIRS, VALENCE, form)
    torch.manual_seed(0)
    outputs = make_outputs(3 * torch.randn(7, 5))
    expected = compute_contradiction_one_by_one(form, outputs.logits, outputs.valence)
    one_class = torch.zeros(7, dtype=torch.long)
    assert loss(outputs, one_class).item() == pytest.approx(expected, abs=1e-6)
    rounded = make_outputs(outputs.logits.bfloat16())
    assert loss(rounded, one_class).item() == pytest.approx(expected, abs=0.02)  # bf16 keeps 8 bits
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(outputs, one_class).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("form", "heads"), [("A", {"logits"}), ("B", {"logits"}), ("C", {"logits", "valence"})])
def test_each_contradiction_alone_sends_gradient_to_the_heads_it_reads(form: Any, heads: set[str]) -> None:
    torch.manual_seed(0)
    outputs = make_outputs((3 * torch.randn(8, 5)).requires_grad_())
    Contradiction(PAIRS, VALENCE, form)(outputs, torch.zeros(8, dtype=torch.long)).backward()
    grads = {name: getattr(outputs, name).grad for name in ("logits", "valence", "intensity")}
    assert {name for name, grad in grads.items() if grad is not None and grad.abs().sum() > 0} == heads


@pytest.mark.parametrize("form", ["A", "B", "C"])
def test_every_active_term_of_cmhl_sends_gradient_to_every_head(form: str) -> None:
    config = ObjectiveConfig(preset="cmhl", contradiction_form=form, class_weights="balanced")
    objective = build_objective(config, TAXONOMY, COUNTS)
    torch.manual_seed(0)
    outputs = make_outputs((3 * torch.randn(8, 5)).requires_grad_())
    loss, parts = objective(outputs, torch.arange(8) % 5)
    loss.backward()
    assert set(parts) == {"ce", "valence_intensity", "contradiction"}
    for head in (outputs.logits, outputs.valence, outputs.intensity):
        assert head.grad is not None
        assert head.grad.abs().sum() > 0


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_each_term_alone_is_finite_and_has_a_gradient_in_bf16_and_fp32(name: str) -> None:
    beside = {"ce": 1.0} if name == "ptd" else {}  # which needs another term's gradient
    weights = dict.fromkeys(PRESETS["cmhl"].weights, 0.0) | {name: 1.0} | beside
    objective = build_objective(ObjectiveConfig(weights=weights, n_views=2), TAXONOMY, COUNTS)
    torch.manual_seed(1)
    logits = torch.randn(6, 5)
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        outputs = make_outputs(logits.clone().to(dtype).requires_grad_(), valence=0.3, intensity=0.7)
        loss, _ = objective(outputs, torch.tensor([0, 0, 0, 0, 0, 0]))  # one-class batch
        loss.backward()
        grads = [tensor.grad for tensor in outputs.to_tuple()]
        assert any(grad is not None and grad.abs().sum() > 0 for grad in grads)
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], abs=0.02)  # bf16 keeps 8 bits; the temperature is .3


@pytest.mark.parametrize("name", ["ce", "ce_weighting"])
def test_settings_of_cross_entropy_reach_it_and_it_reads_its_own_logits(name: str) -> None:
    weights = dict.fromkeys(PRESETS["cmhl"].weights, 0.0) | {name: 1.0}
    config = ObjectiveConfig(weights=weights, class_weights="balanced", label_smoothing=0.2)
    outputs, labels = make_outputs(torch.randn(5, 5).requires_grad_()), torch.arange(5)
    read = {"ce": outputs.logits, "ce_weighting": outputs.weighting_logits}
    loss, _ = build_objective(config, TAXONOMY, COUNTS)(outputs, labels)
    expected = torch.nn.functional.cross_entropy(
        read[name], labels, weight=compute_class_weights(COUNTS, "balanced"), label_smoothing=0.2
    )
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert {other for other, logits in read.items() if logits.grad is not None} == {name}


@pytest.mark.parametrize("name", ["scl", "lcl", "mccl"])
def test_settings_of_contrastive_terms_reach_them(name: str) -> None:
    weights = dict.fromkeys(PRESETS["cmhl"].weights, 0.0) | {name: 1.0}
    settings = {"temperature": 0.7, "is_normalised": False}
    outputs, labels = make_outputs(torch.randn(6, 5)), torch.tensor([0, 0, 1, 1, 2, 2])
    config = ObjectiveConfig(weights=weights, **settings, **({"coordinate_scale": 0.5} if name == "mccl" else {}))
    direct = {
        "scl": SupervisedContrastive(**settings),
        "lcl": LabelAwareContrastive(**settings),
        "mccl": ContinuousContrast(
            torch.tensor([[label.valence, label.arousal] for label in TAXONOMY.labels]),
            coordinate_scale=0.5,
            coordinate_weight=torch.tensor([label.coordinate_weight for label in TAXONOMY.labels]),
            **settings,
        ),
    }
    loss, _ = build_objective(config, TAXONOMY, COUNTS)(outputs, labels)
    torch.testing.assert_close(loss, direct[name](outputs, labels))


def test_weight_zero_removes_a_term() -> None:
    objective = build_objective(ObjectiveConfig(weights={"contradiction": 0.0}), TAXONOMY, COUNTS)
    assert set(objective.terms) == {"ce", "valence_intensity"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ObjectiveConfig(preset="cmhk"), "no preset 'cmhk'"),
        (ObjectiveConfig(weights={"focal": 1.0}), "unknown terms"),
        (ObjectiveConfig(preset="cross_entropy", weights={"ce": 0.0}), "nothing to minimise"),
        (ObjectiveConfig(preset="cross_entropy", weights={"ce": 0.0, "ptd": 1.0}), "no other term in this training"),
    ],
)
def test_objectives_that_cannot_be_built_are_refused_by_name(config: ObjectiveConfig, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build_objective(config, TAXONOMY, COUNTS)
