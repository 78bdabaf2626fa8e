"""Distillation: a hand-worked number, a limit, and nothing where no teacher has read."""

import math

import pytest
import torch
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.distillation import Distillation


def compute(logits: torch.Tensor, teacher: torch.Tensor | None) -> torch.Tensor:
    outputs = RiskClassifierOutput(logits=logits, teacher_probabilities=teacher)
    return Distillation()(outputs, torch.zeros(len(logits), dtype=torch.long))


def test_hand_worked_post() -> None:
    # p = (3/4, 1/4), t = (1/2, 1/2): -(ln 3/4 + ln 1/4) / 2
    loss = compute(torch.tensor([[math.log(3), 0.0]]), torch.tensor([[0.5, 0.5]]))
    assert loss.item() == pytest.approx(-math.log(3 / 16) / 2, abs=1e-6)


def test_a_certain_teacher_is_a_label() -> None:
    logits, labels = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 4, 0])
    expected = functional.cross_entropy(logits, labels)
    torch.testing.assert_close(compute(logits, functional.one_hot(labels, 5).float()), expected)


def test_the_gradient_vanishes_where_student_and_teacher_agree() -> None:
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    compute(logits, logits.detach().softmax(1)).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-7


def test_posts_without_a_teacher_cost_nothing() -> None:
    assert compute(torch.randn(3, 5), None).item() == 0
