"""R-Drop against torch's own divergence, a hand-worked number, and where it does not apply."""

import math

import pytest
import torch
from torch.nn import functional

from screening.config import ObjectiveConfig
from screening.exceptions import ConfigError
from screening.models.classifier import RiskClassifierOutput
from screening.objectives import resolve_preset
from screening.objectives.r_drop import RDrop


def compute(logits: torch.Tensor) -> torch.Tensor:
    outputs = RiskClassifierOutput(logits=logits)
    return RDrop()(outputs, torch.zeros(len(logits), dtype=torch.long))


def test_two_views_that_agree_cost_nothing() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.0]] * 2 + [[0.0, -1.0, 3.0]] * 2)
    assert compute(logits).item() == pytest.approx(0, abs=1e-7)


def test_hand_worked_pair() -> None:
    # p = (3/4, 1/4) and q = (1/4, 3/4): either divergence is (3/4 - 1/4) ln 3, and so is their mean
    logits = torch.tensor([[math.log(3), 0.0], [0.0, math.log(3)]])
    assert compute(logits).item() == pytest.approx(math.log(3) / 2, abs=1e-6)


def test_loss_is_the_mean_of_both_divergences_of_each_post() -> None:
    logits = torch.randn(10, 5, generator=torch.Generator().manual_seed(0))
    first, second = logits[::2].log_softmax(1), logits[1::2].log_softmax(1)
    expected = sum(
        (functional.kl_div(a, b, log_target=True, reduction="sum") for a, b in ((first, second), (second, first))),
        start=torch.zeros(()),
    )
    torch.testing.assert_close(compute(logits), expected / 2 / 5)


def test_gradient_pulls_both_views_together() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]], requires_grad=True)
    compute(logits).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] > 0 > logits.grad[1, 0]


def test_evaluation_reads_a_post_once_and_costs_nothing() -> None:
    assert RDrop().eval()(RiskClassifierOutput(logits=torch.randn(3, 5)), torch.zeros(3)).item() == 0


def test_half_precision_agrees() -> None:
    logits = torch.randn(8, 5, generator=torch.Generator().manual_seed(1))
    assert compute(logits.bfloat16()).item() == pytest.approx(compute(logits).item(), rel=0.02)


def test_the_preset_pulls_where_the_papers_loss_pulls() -> None:
    logits = torch.randn(8, 5, generator=torch.Generator().manual_seed(3), requires_grad=True)
    labels = torch.tensor([0, 0, 3, 3, 1, 1, 4, 4])
    weights = resolve_preset(ObjectiveConfig(preset="r_drop")).weights
    ours = weights["ce"] * functional.cross_entropy(logits, labels) + weights["r_drop"] * compute(logits)
    first, second = (functional.cross_entropy(logits[i::2], labels[i::2]) for i in (0, 1))
    papers = first + second + 1.0 * compute(logits)  # α 1
    found, expected = (torch.autograd.grad(loss, logits)[0].flatten() for loss in (ours, papers))
    torch.testing.assert_close(found / found.norm(), expected / expected.norm())


@pytest.mark.parametrize("changes", [{"n_views": 1}, {"schedule": "two_phase"}])
def test_one_view_is_refused_with_the_way_out(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"r_drop compares two views .* set objective.n_views=2"):
        resolve_preset(ObjectiveConfig.model_validate({"preset": "r_drop", **changes}))
