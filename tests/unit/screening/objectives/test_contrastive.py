"""SCL and LCL against worked numbers, a plain loop, an identity, another library, and their limits."""

import math
from dataclasses import replace

import pytest
import torch

from screening.objectives.lcl import LabelAwareContrastive
from screening.objectives.scl import SupervisedContrastive
from tests.unit.screening.objectives.conftest import Batch

# Worked out apart from this code, in float64, on the six posts of `worked_batch`.
WORKED = {0.07: (0.006225, -0.310917, -0.364129), 0.3: (0.343309, -0.226856, -0.251768),
          1.0: (1.032634, -0.021351, -0.021993)}  # fmt: skip


def compute_scl(batch: Batch, temperature: float, *, is_normalised: bool = True) -> torch.Tensor:
    return SupervisedContrastive(temperature, is_normalised=is_normalised)(batch.outputs(), batch.labels)


def compute_lcl(batch: Batch, temperature: float, *, is_normalised: bool = True) -> torch.Tensor:
    return LabelAwareContrastive(temperature, is_normalised=is_normalised)(batch.outputs(), batch.labels)


def with_equal_weights(batch: Batch) -> Batch:
    return replace(batch, weighting_logits=torch.zeros_like(batch.weighting_logits))


def compute_by_loop(batch: Batch, temperature: float, *, is_weighted: bool, is_normalised: bool = True) -> float:
    """The formulas term by term, in Python's own numbers."""
    rows = batch.features.double().tolist()
    labels = batch.labels.tolist()
    lengths = [math.sqrt(sum(x * x for x in row)) if is_normalised else 1.0 for row in rows]
    unit = [[x / length for x in row] for row, length in zip(rows, lengths, strict=True)]
    total = 0.0
    for i in range(len(rows)):
        exponentials = [
            math.exp(sum(x * z for x, z in zip(unit[i], other, strict=True)) / temperature) for other in unit
        ]
        scores = [math.exp(g) for g in batch.weighting_logits[i].double().tolist()]
        w = [score / sum(scores) for score in scores] if is_weighted else [1.0] * len(scores)
        denominator = sum(w[labels[k]] * exponentials[k] for k in range(len(rows)) if k != i)
        positives = [p for p in range(len(rows)) if p != i and labels[p] == labels[i]]
        if positives:
            mean = sum(math.log(exponentials[p] / denominator) for p in positives) / len(positives)
            total += -w[labels[i]] * mean
    return total / len(rows)


@pytest.mark.parametrize("temperature", sorted(WORKED))
def test_losses_equal_the_worked_numbers(worked_batch: Batch, temperature: float) -> None:
    scl, lcl, lcl_of_equal_weights = WORKED[temperature]
    assert compute_scl(worked_batch, temperature).item() == pytest.approx(scl, abs=1e-5)
    assert compute_lcl(worked_batch, temperature).item() == pytest.approx(lcl, abs=1e-5)
    assert compute_lcl(with_equal_weights(worked_batch), temperature).item() == pytest.approx(
        lcl_of_equal_weights, abs=1e-5
    )


@pytest.mark.parametrize("temperature", [0.07, 0.3, 1.0, 10.0])
def test_equal_class_weights_give_scl_shifted_and_shrunk(random_batch: Batch, temperature: float) -> None:
    # every post must have another of its class: the shift is none for a post that counts as 0
    kept = random_batch.labels != 3
    batch = Batch(random_batch.features[kept], torch.zeros(int(kept.sum()), 4), random_batch.labels[kept])
    expected = (compute_scl(batch, temperature) - math.log(4)) / 4
    assert compute_lcl(batch, temperature).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("is_normalised", [True, False])
@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_losses_equal_a_loop_over_pairs(random_batch: Batch, temperature: float, is_normalised: bool) -> None:
    scl = compute_scl(random_batch, temperature, is_normalised=is_normalised)
    lcl = compute_lcl(random_batch, temperature, is_normalised=is_normalised)
    loop = {"temperature": temperature, "is_normalised": is_normalised}
    # fp32 sums of a dozen terms of size up to 20
    assert scl.item() == pytest.approx(compute_by_loop(random_batch, is_weighted=False, **loop), abs=2e-5)
    assert lcl.item() == pytest.approx(compute_by_loop(random_batch, is_weighted=True, **loop), abs=2e-5)


@pytest.mark.parametrize("temperature", [0.07, 0.3, 1.0])
def test_scl_equals_the_loss_of_pytorch_metric_learning(random_batch: Batch, temperature: float) -> None:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    theirs = losses.SupConLoss(temperature=temperature, reducer=reducers.MeanReducer())
    expected = theirs(random_batch.features, random_batch.labels)  # normalises, and counts a lonely post as 0 too
    assert compute_scl(random_batch, temperature).item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("compute", [compute_scl, compute_lcl])
@pytest.mark.parametrize("labels", [[0], [0, 1, 2, 3], [2, 2, 2, 2], [0, 0, 1, 2]])
def test_batches_without_pairs_or_without_others_stay_finite(compute, labels: list[int]) -> None:
    torch.manual_seed(3)
    features = torch.randn(len(labels), 5, requires_grad=True)
    logits = torch.randn(len(labels), 4, requires_grad=True)
    loss = compute(Batch(features, logits, torch.tensor(labels)), 0.1)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(features.grad).all()
    assert logits.grad is None or torch.isfinite(logits.grad).all()
    if len(set(labels)) == len(labels):  # everyone alone in its class
        assert loss.item() == 0
        assert features.grad.abs().sum() == 0


def test_post_alone_in_its_class_is_still_pushed_away_from_by_the_others(random_batch: Batch) -> None:
    features = random_batch.features.clone().requires_grad_()
    compute_scl(replace(random_batch, features=features), 0.3).backward()
    assert features.grad[8].abs().sum() > 0


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_normalised_losses_do_not_depend_on_lengths(random_batch: Batch, scale: float) -> None:
    scaled = replace(random_batch, features=scale * random_batch.features)
    assert compute_scl(scaled, 0.3).item() == pytest.approx(compute_scl(random_batch, 0.3).item(), abs=1e-5)


def test_representation_of_zeros_is_finite() -> None:
    features = torch.zeros(4, 3, requires_grad=True)
    loss = compute_scl(Batch(features, torch.zeros(4, 2), torch.tensor([0, 0, 1, 1])), 0.05)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(3), abs=1e-6)  # three others, all alike
    assert torch.isfinite(features.grad).all()


def test_gradient_of_lcl_reaches_representations_and_weighting_network(random_batch: Batch) -> None:
    features = random_batch.features.clone().requires_grad_()
    logits = random_batch.weighting_logits.clone().requires_grad_()
    compute_lcl(Batch(features, logits, random_batch.labels), 0.3).backward()
    assert (features.grad.abs().sum(dim=1) > 0).all()
    has_partner = random_batch.labels != 3
    assert (logits.grad.abs().sum(dim=1) > 0).tolist() == has_partner.tolist()


@pytest.mark.parametrize("compute", [compute_scl, compute_lcl])
@pytest.mark.parametrize("temperature", [0.1, 0.3])
def test_losses_of_bf16_representations_agree_with_fp32(compute, random_batch: Batch, temperature: float) -> None:
    coarse = replace(
        random_batch,
        features=random_batch.features.bfloat16(),
        weighting_logits=random_batch.weighting_logits.bfloat16(),
    )
    # 8 bits: a cosine is off by up to about 2^-8, its quotient with the temperature by 2^-8 / temperature
    assert compute(coarse, temperature).item() == pytest.approx(
        compute(random_batch, temperature).item(), abs=2**-8 / temperature
    )


@pytest.mark.parametrize("compute", [compute_scl, compute_lcl])
def test_autocast_does_not_coarsen_a_loss(compute, random_batch: Batch) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = compute(random_batch, 0.05)
    assert inside.item() == compute(random_batch, 0.05).item()
    assert inside.dtype == torch.float32


def test_scl_falls_when_classes_move_apart() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    logits = torch.zeros(4, 2)
    mixed = torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, 0.0], [0.0, 1.0]])
    apart = torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.1, 1.0], [0.0, 1.0]])
    assert compute_scl(Batch(apart, logits, labels), 0.3) < compute_scl(Batch(mixed, logits, labels), 0.3)
