"""The momentum network follows and is not trained; its queue keeps the latest keys, in checkpoints too."""

from typing import Any

import pytest
import torch

from screening.models.momentum import KEYS, KeyQueue, MomentumNetwork, find_momentum_network
from screening.models.projection import Projection

CLASS = torch.tensor(0)
IDS = torch.tensor([[2, 10, 11, 3], [2, 12, 13, 3]])


def read_all(queue: KeyQueue) -> dict[int, list[float]]:
    keys, labels = queue.read()
    return dict(zip(labels.tolist(), keys.tolist(), strict=True))


def enqueue(queue: KeyQueue, *labels: int) -> None:
    queue.enqueue(torch.tensor([[float(label), -float(label)] for label in labels]), torch.tensor(labels))


def test_queue_keeps_the_latest_keys_with_their_labels() -> None:
    queue = KeyQueue(3, 2, CLASS)
    assert len(queue) == 0
    assert [len(rows) for rows in queue.read()] == [0, 0]
    enqueue(queue, 1, 2)
    assert read_all(queue) == {1: [1, -1], 2: [2, -2]}
    enqueue(queue, 3, 4)
    assert read_all(queue) == {label: [label, -label] for label in (2, 3, 4)}
    enqueue(queue, 5, 6, 7, 8, 9)
    assert read_all(queue) == {label: [label, -label] for label in (7, 8, 9)}


def test_queue_of_no_keys_stays_empty_and_labels_may_be_coordinates() -> None:
    queue = KeyQueue(0, 2, CLASS)
    enqueue(queue, 1, 2)
    assert len(queue) == 0
    rated = KeyQueue(2, 3, torch.zeros(2))
    rated.enqueue(torch.ones(1, 3), torch.tensor([[0.5, -0.25]]))
    assert rated.read()[1].tolist() == [[0.5, -0.25]]


def test_queue_is_in_the_state_and_what_was_read_does_not_change() -> None:
    queue, other = KeyQueue(2, 2, CLASS), KeyQueue(2, 2, CLASS)
    enqueue(queue, 1, 2, 3)
    keys, _ = queue.read()
    before = keys.clone()
    other.load_state_dict(queue.state_dict())
    enqueue(queue, 4)
    enqueue(other, 4)
    assert torch.equal(keys, before)
    assert read_all(queue) == read_all(other) == {label: [label, -label] for label in (3, 4)}


def test_new_network_says_what_the_classifier_says_without_dropout(build_classifier: Any) -> None:
    classifier = build_classifier("bert", 40).eval()
    network = MomentumNetwork(classifier, 0.9, 4, CLASS)
    expected = classifier(input_ids=IDS).pooled
    keys = network.train()(IDS, torch.ones_like(IDS), expected)
    torch.testing.assert_close(keys, expected)
    assert not keys.requires_grad
    assert not any(module.training for module in network.modules())
    assert not any(weight.requires_grad for weight in network.parameters())


def test_keys_are_projected_where_queries_are(build_classifier: Any) -> None:
    classifier = build_classifier("bert", 40).eval()
    classifier.training_parts["projected"] = Projection(32, 3)
    network = MomentumNetwork(classifier, 0.9, 4, CLASS)
    torch.testing.assert_close(network(IDS, torch.ones_like(IDS), torch.empty(0)), classifier(input_ids=IDS).projected)
    assert network.queue.keys.shape == (4, 3)


def test_a_batch_is_read_once_until_the_weights_change(build_classifier: Any) -> None:
    classifier = build_classifier("bert", 40).eval()
    network = MomentumNetwork(classifier, 0.5, 4, CLASS)
    n_read = []
    network.network.register_forward_hook(lambda *_: n_read.append(1))

    def read(ids: torch.Tensor) -> torch.Tensor:
        return network(ids, torch.ones_like(ids), torch.empty(0))

    first = read(IDS)
    assert torch.equal(read(IDS), first)
    assert len(n_read) == 1
    assert not torch.equal(read(IDS.flip(1)), first)  # another batch
    read(IDS)
    assert len(n_read) == 3
    with torch.no_grad():
        for weight in classifier.encoder.parameters():
            weight.mul_(1.5)
    network.follow(classifier)
    assert not torch.equal(read(IDS), first)  # the same batch, other weights


@pytest.mark.parametrize("momentum", [0.0, 0.75])
def test_weights_follow_by_the_share_that_is_not_kept(momentum: float, build_classifier: Any) -> None:
    classifier = build_classifier("bert", 40)
    classifier.training_parts[KEYS] = MomentumNetwork(classifier, momentum, 4, CLASS)
    network = find_momentum_network(classifier)
    assert network is not None
    before = {name: weight.clone() for name, weight in network.network.named_parameters()}
    with torch.no_grad():
        for weight in classifier.encoder.parameters():
            weight.add_(1.0)
    network.follow(classifier)
    for name, weight in network.network.named_parameters():
        expected = before[name] + (1 - momentum) * (classifier.get_parameter(name) - before[name])
        torch.testing.assert_close(weight, expected)


def test_classifier_without_one_has_none(build_classifier: Any) -> None:
    assert find_momentum_network(build_classifier("bert", 40)) is None
