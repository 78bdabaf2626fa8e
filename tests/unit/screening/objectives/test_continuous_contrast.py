"""MCCL against a worked number, a plain loop, its limits, and what its gradient must and must not reach."""

import math

import pytest
import torch

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.mccl import ContinuousContrast, compute_continuous_contrast


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def distances(places: torch.Tensor, key_places: torch.Tensor) -> torch.Tensor:
    return (places[:, None] - key_places[None]).square().sum(dim=2)


def compute(queries: torch.Tensor, keys: torch.Tensor, squared: torch.Tensor, **settings: float) -> torch.Tensor:
    return compute_continuous_contrast(
        queries, keys, squared, **{"temperature": 0.3, "coordinate_scale": 0.2} | settings
    )


def compute_by_loop(
    queries: torch.Tensor, keys: torch.Tensor, places: torch.Tensor, key_places: torch.Tensor, tau: float, sigma: float
) -> list[float]:
    """The formula term by term, in Python's own numbers."""

    def unit(row: list[float]) -> list[float]:
        length = math.sqrt(sum(x * x for x in row))
        return [x / length for x in row]

    losses = []
    for query, place in zip(queries.double().tolist(), places.double().tolist(), strict=True):
        q = unit(query)
        similarities = [
            math.exp(sum(x * z for x, z in zip(q, unit(key), strict=True)) / tau) for key in keys.double().tolist()
        ]
        near = [math.exp(-(math.dist(place, other) ** 2) / (2 * sigma**2)) for other in key_places.double().tolist()]
        shares = [similarity / sum(similarities) for similarity in similarities]
        losses.append(-sum(w / sum(near) * math.log(share) for w, share in zip(near, shares, strict=True)))
    return losses


@pytest.mark.parametrize(("tau", "sigma"), [(0.3, 0.2), (1.0, 0.5), (0.1, 1.0)])
def test_loss_equals_a_loop_over_pairs(tau: float, sigma: float) -> None:
    queries, keys = draw(5, 7).double(), draw(9, 7, seed=1).double()
    places, key_places = draw(5, 2, seed=2).tanh(), draw(9, 2, seed=3).tanh()
    found = compute(queries, keys, distances(places, key_places), temperature=tau, coordinate_scale=sigma)
    expected = compute_by_loop(queries, keys, places, key_places, tau, sigma)
    assert found.tolist() == pytest.approx(expected, abs=1e-6, rel=1e-6)  # fp32


def test_loss_equals_a_worked_number() -> None:
    # similarities 1 and 0 at temperature 1: shares e/(e+1) and 1/(e+1); distances 0 and σ√(2 ln 3): weights 3/4 and 1/4
    squared = torch.tensor([[0.0, 2 * math.log(3) * 0.2**2]])
    found = compute(torch.tensor([[2.0, 0.0]]), torch.eye(2), squared, temperature=1.0)
    assert found.item() == pytest.approx(math.log(math.e + 1) - 0.75, abs=1e-6)


def test_equal_coordinates_reduce_to_cross_entropy_with_a_uniform_target() -> None:
    queries, keys = draw(4, 6), draw(8, 6, seed=1)
    logits = torch.nn.functional.normalize(queries) @ torch.nn.functional.normalize(keys).T / 0.3
    expected = torch.nn.functional.cross_entropy(logits, torch.full((4, 8), 1 / 8), reduction="none")
    torch.testing.assert_close(compute(queries, keys, torch.zeros(4, 8)), expected)


def test_small_scale_picks_the_nearest_key() -> None:
    queries, keys = draw(4, 6), draw(8, 6, seed=1)
    squared = distances(draw(4, 2, seed=2), draw(8, 2, seed=3))
    logits = torch.nn.functional.normalize(queries) @ torch.nn.functional.normalize(keys).T / 0.3
    expected = torch.nn.functional.cross_entropy(logits, squared.argmin(dim=1), reduction="none")
    torch.testing.assert_close(compute(queries, keys, squared, coordinate_scale=1e-3), expected)


def test_one_key_gives_zero() -> None:
    queries = draw(3, 4).requires_grad_()
    loss = compute(queries, draw(1, 4, seed=1), torch.full((3, 1), 4.0)).mean()
    loss.backward()
    assert loss.item() == 0
    assert queries.grad is not None
    assert torch.isfinite(queries.grad).all()


def test_loss_is_at_least_the_entropy_of_the_weights() -> None:
    squared = distances(draw(6, 2), draw(9, 2, seed=1))
    weights = torch.softmax(-squared / (2 * 0.2**2), dim=1)
    entropy = -(weights * weights.clamp(min=1e-30).log()).sum(dim=1)
    assert (compute(draw(6, 5, seed=2), draw(9, 5, seed=3), squared) >= entropy - 1e-6).all()


def test_gradient_reaches_queries_and_not_keys() -> None:
    queries, keys = draw(4, 6).requires_grad_(), draw(8, 6, seed=1).requires_grad_()
    compute(queries, keys, distances(draw(4, 2), draw(8, 2, seed=1))).mean().backward()
    assert queries.grad is not None
    assert (queries.grad.abs().sum(dim=1) > 0).all()
    assert keys.grad is None


def test_bf16_agrees_with_fp32_and_autocast_does_not_coarsen() -> None:
    queries, keys, squared = draw(4, 6), draw(8, 6, seed=1), distances(draw(4, 2), draw(8, 2, seed=1))
    exact = compute(queries, keys, squared)
    # 8 bits: a cosine is off by up to about 2^-8, its quotient with the temperature by 2^-8 / .3
    torch.testing.assert_close(compute(queries.bfloat16(), keys.bfloat16(), squared), exact, atol=2**-8 / 0.3, rtol=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = compute(queries, keys, squared)
    assert torch.equal(inside, exact)


def test_queries_near_like_rated_keys_cost_less_than_queries_near_unlike_ones() -> None:
    keys, key_places = torch.eye(2), torch.tensor([[-0.9, 0.0], [0.9, 0.0]])
    squared = distances(key_places, key_places)
    assert compute(keys, keys, squared).mean() < compute(keys.flip(0), keys, squared).mean()


def make_outputs(n_queued: int) -> RiskClassifierOutput:
    queue = {"queued_keys": draw(n_queued, 6, seed=2), "queued_labels": torch.arange(n_queued) % 3} if n_queued else {}
    keys = draw(4, 6, seed=1)
    return RiskClassifierOutput(logits=draw(4, 3), pooled=draw(4, 6), momentum_keys=keys, **queue)


def test_batch_is_compared_with_its_own_keys_and_those_of_the_queue() -> None:
    coordinates, labels = draw(3, 2).tanh(), torch.tensor([0, 1, 2, 0])
    objective = ContinuousContrast(coordinates, 0.3, 0.2)
    outputs = make_outputs(5)
    assert outputs.queued_keys is not None
    assert outputs.queued_labels is not None
    keys = torch.cat([outputs.momentum_keys, outputs.queued_keys])
    squared = distances(coordinates[labels], coordinates[torch.cat([labels, outputs.queued_labels])])
    torch.testing.assert_close(objective(outputs, labels), compute(outputs.pooled, keys, squared).mean())
    own = compute(outputs.pooled, outputs.momentum_keys, squared[:, :4]).mean()
    torch.testing.assert_close(objective(make_outputs(0), labels), own)


def test_ratings_as_labels_give_the_loss_of_classes_that_lie_there() -> None:
    coordinates, labels = draw(3, 2).tanh(), torch.tensor([0, 1, 2, 0])
    outputs = make_outputs(0)
    by_class = ContinuousContrast(coordinates, 0.3, 0.2)(outputs, labels)
    assert torch.equal(ContinuousContrast(None, 0.3, 0.2)(outputs, coordinates[labels]), by_class)


def test_equal_weights_of_coordinates_change_nothing() -> None:
    coordinates, labels = draw(3, 2).tanh(), torch.tensor([0, 1, 2, 0])
    plain = ContinuousContrast(coordinates, 0.3, 0.2)(make_outputs(5), labels)
    halves = ContinuousContrast(coordinates, 0.3, 0.2, coordinate_weight=torch.full((3,), 0.5))
    torch.testing.assert_close(halves(make_outputs(5), labels), plain)


def test_a_class_whose_place_is_made_up_has_no_say() -> None:
    labels = torch.tensor([0, 1, 2, 0])
    outputs = make_outputs(0)
    found = []
    for place in ((0.0, 0.0), (0.9, -0.9)):  # of the last class
        coordinates = torch.tensor([[-0.6, -0.3], [0.8, 0.5], place])
        objective = ContinuousContrast(coordinates, 0.3, 0.2, coordinate_weight=torch.tensor([1.0, 0.5, 0.0]))
        found.append(objective(outputs, labels))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=0)  # a weight of 0 is computed as 1e-6


def test_weights_of_coordinates_are_those_of_the_formula() -> None:
    coordinates, trust, labels = draw(3, 2).tanh(), torch.tensor([1.0, 0.2, 0.6]), torch.tensor([0, 1, 2, 0])
    outputs = make_outputs(0)
    near = torch.exp(-distances(coordinates[labels], coordinates[labels]) / (2 * 0.2**2)) * trust[labels]
    logits = torch.nn.functional.normalize(outputs.pooled) @ torch.nn.functional.normalize(outputs.momentum_keys).T
    contrast = -(near / near.sum(dim=1, keepdim=True) * torch.log_softmax(logits / 0.3, dim=1)).sum(dim=1)
    expected = (trust[labels] * contrast).sum() / trust[labels].sum()
    found = ContinuousContrast(coordinates, 0.3, 0.2, coordinate_weight=trust)(outputs, labels)
    torch.testing.assert_close(found, expected)


def test_a_batch_without_any_known_place_costs_nothing() -> None:
    objective = ContinuousContrast(torch.zeros(3, 2), 0.3, 0.2, coordinate_weight=torch.zeros(3))
    assert objective(make_outputs(5), torch.tensor([0, 1, 2, 0])).item() == 0
