"""PTD: which tokens are chosen, what stands in their place, and what the loss of detecting them is."""

import math

import pytest
import torch

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.gathering import NOT_COUNTED
from screening.objectives.ptd import PerTokenDetection, choose_tokens, replace_tokens

COUNTS = torch.tensor([0, 0, 5, 1, 10, 4])  # tokens 0 and 1 are special


def compute(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    outputs = RiskClassifierOutput(logits=logits, detection_logits=logits, detection_targets=targets)
    return PerTokenDetection()(outputs, torch.zeros(len(logits)))


def test_loss_is_the_mean_over_own_tokens_of_all_posts() -> None:
    logits = torch.tensor([[2.0, 9.0, -1.0], [7.0, 0.0, 5.0]])
    targets = torch.tensor([[1.0, NOT_COUNTED, 0.0], [NOT_COUNTED, 1.0, NOT_COUNTED]])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)) + math.log(2)) / 3
    assert compute(logits, targets).item() == pytest.approx(expected, abs=1e-6)


def test_posts_without_own_tokens_cost_nothing_and_stay_finite() -> None:
    logits = torch.randn(2, 3).requires_grad_()
    loss = compute(logits, torch.full((2, 3), float(NOT_COUNTED)))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


def test_loss_of_bf16_logits_is_computed_in_fp32() -> None:
    logits, targets = torch.tensor([[1.5, -0.5]]), torch.tensor([[1.0, 0.0]])  # both exact in bf16
    assert torch.equal(compute(logits.bfloat16(), targets), compute(logits, targets))


@pytest.mark.parametrize(("fraction", "n_expected"), [(0.01, 1), (0.15, 2), (0.5, 5), (0.99, 10)])
def test_share_of_own_tokens_with_the_highest_saliency_is_chosen(fraction: float, n_expected: int) -> None:
    saliency = torch.randperm(14, generator=torch.Generator().manual_seed(0)).float()[None]
    is_own = torch.tensor([[False] + [True] * 10 + [False] * 3])
    chosen = choose_tokens(saliency, is_own, fraction)[0]
    assert chosen.sum() == n_expected
    assert not chosen[~is_own[0]].any()
    highest = saliency[0][is_own[0]].sort(descending=True).values[:n_expected]
    assert sorted(saliency[0][chosen].tolist()) == sorted(highest.tolist())


def test_post_of_one_token_has_it_chosen_and_a_post_of_none_has_none() -> None:
    is_own = torch.tensor([[False, True, False], [False, False, False]])
    assert choose_tokens(torch.ones(2, 3), is_own, 0.15).tolist() == is_own.tolist()


def test_replacements_are_never_the_token_itself_nor_one_that_never_occurred() -> None:
    ids = torch.tensor([2, 3, 4, 5]).repeat(500, 1)
    is_chosen = torch.tensor([True, True, True, False]).repeat(500, 1)
    replaced = replace_tokens(ids, is_chosen, COUNTS, torch.Generator().manual_seed(0))
    assert (replaced[is_chosen] != ids[is_chosen]).all()
    assert torch.equal(replaced[~is_chosen], ids[~is_chosen])
    assert set(replaced.unique().tolist()) <= {2, 3, 4, 5}


@pytest.mark.statistical
def test_replacements_are_drawn_as_often_as_the_other_tokens_occur() -> None:
    n = 60_000
    for own in (2, 4, 5):
        ids = torch.full((1, n), own)
        drawn = replace_tokens(ids, torch.ones_like(ids, dtype=torch.bool), COUNTS, torch.Generator().manual_seed(1))
        others = COUNTS.clone()
        others[own] = 0
        shares = torch.bincount(drawn[0], minlength=6) / n
        # four standard errors of a share of .5
        torch.testing.assert_close(shares, others / others.sum(), atol=4 * 0.5 / math.sqrt(n), rtol=0)


def test_token_that_never_occurred_in_training_is_replaced_too() -> None:
    ids = torch.full((1, 50), 1)
    replaced = replace_tokens(ids, torch.ones_like(ids, dtype=torch.bool), COUNTS)
    assert (replaced != 1).all()


def test_only_token_there_is_stays() -> None:
    ids = torch.tensor([[2, 2]])
    counts = torch.tensor([0, 0, 7])
    assert replace_tokens(ids, torch.ones_like(ids, dtype=torch.bool), counts).tolist() == [[2, 2]]


def test_draw_depends_on_the_generator_or_torchs_own_seed_and_nothing_else() -> None:
    ids, is_chosen = torch.full((3, 40), 4), torch.ones(3, 40, dtype=torch.bool)
    first, second = (replace_tokens(ids, is_chosen, COUNTS, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(replace_tokens(ids, is_chosen, COUNTS), first)
