"""A slow copy of the classifier whose representations are the keys of contrastive losses; it exists in training only.

As in He et al. 2020 (MoCo, arXiv 1911.05722): no gradient reaches the copy, it follows the classifier's weights from a
distance, and the keys of earlier batches wait in a queue. All of it is weights and buffers, which checkpoints hold.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

KEYS = "momentum_keys"
"""Name of the network among a classifier's training parts, and of the output field it fills."""


class KeyQueue(nn.Module):
    """The latest keys with their labels; the oldest give way to new ones.

    Parameters
    ----------
    size : int
        Keys it holds; 0 keeps none.
    n_features : int
    label : Tensor
        A label as posts have it, for its shape and type: a class index of shape (), or coordinates of shape (2,).
    """

    keys: Tensor
    labels: Tensor
    n_seen: Tensor

    def __init__(self, size: int, n_features: int, label: Tensor) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("keys", torch.zeros(size, n_features))
        self.register_buffer("labels", torch.zeros(size, *label.shape, dtype=label.dtype))
        self.register_buffer("n_seen", torch.zeros((), dtype=torch.long))

    def __len__(self) -> int:
        return min(int(self.n_seen), self.size)

    def read(self) -> tuple[Tensor, Tensor]:
        """Copy the keys, shape (n_keys, n_features), and labels, shape (n_keys, ...), that are there, in no order."""
        return self.keys[: len(self)].clone(), self.labels[: len(self)].clone()

    @torch.no_grad()
    def enqueue(self, keys: Tensor, labels: Tensor) -> None:
        """Take keys in, shape (n_posts, n_features), the last ones if they are more than it holds."""
        kept = slice(max(len(keys) - self.size, 0), None)
        places = torch.arange(len(keys), device=self.keys.device)[kept] + self.n_seen
        if self.size:
            self.keys[places % self.size] = keys[kept].to(self.keys)
            self.labels[places % self.size] = labels[kept].to(self.labels)
        self.n_seen += len(keys)


class MomentumNetwork(nn.Module):
    """``ξ ← m ξ + (1 − m) θ`` with ξ its weights and θ the classifier's.

    Parameters
    ----------
    classifier : RiskClassifier
        Copied with its projection, if it has one, and without its other training parts.
    momentum : float in [0, 1)
        ``m``.
    queue_size : int
    label : Tensor
        See :class:`KeyQueue`.
    """

    def __init__(self, classifier: Any, momentum: float, queue_size: int, label: Tensor) -> None:
        super().__init__()
        self.momentum = momentum
        # a new one, not a deep copy: a Trainer may have bound the forward method of the old one to it
        self.network = type(classifier)(copy.deepcopy(classifier.config))
        projections = {name: part for name, part in classifier.training_parts.items() if name == "projected"}
        self.network.training_parts.update(copy.deepcopy(projections))
        weights = classifier.state_dict()
        self.network.load_state_dict({name: weights[name] for name in self.network.state_dict()})
        self.network.requires_grad_(False).eval()
        n_features = projections["projected"].n_projected if projections else classifier.class_head.in_features
        self.queue = KeyQueue(queue_size, n_features, label)
        self._last: tuple[Tensor, Tensor] | None = None

    def forward(self, input_ids: Tensor | None, attention_mask: Tensor | None, pooled: Tensor) -> Tensor:
        """Read the posts; returns keys of shape (n_posts, n_features).

        A batch that is read twice in a step, as token detection does, has the same keys and is computed once.
        """
        if self._last is not None and self._last[0] is input_ids:
            return self._last[1]
        with torch.no_grad():
            keys: Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).contrasted
        self._last = None if input_ids is None else (input_ids, keys)
        return keys

    def train(self, mode: bool = True) -> "MomentumNetwork":
        """Stay in evaluation mode: keys are read without dropout."""
        return super().train(False)

    @torch.no_grad()
    def follow(self, classifier: nn.Module) -> None:
        """Take the classifier's weights in, after an optimiser step."""
        self._last = None
        for name, weight in self.network.named_parameters():
            weight.lerp_(classifier.get_parameter(name), 1 - self.momentum)


def find_momentum_network(classifier: Any) -> MomentumNetwork | None:
    """Find the momentum network among a classifier's training parts."""
    return dict(classifier.training_parts.items()).get(KEYS)
