"""Objectives by name and presets by system; a new loss is one file with one ``@register`` in it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from screening.config import ObjectiveConfig
from screening.taxonomy import Taxonomy


@dataclass(frozen=True)
class ObjectiveContext:
    """What a loss may depend on besides a batch.

    Attributes
    ----------
    taxonomy : Taxonomy
    config : ObjectiveConfig
    class_counts : tuple of int
        Training posts per class, in label order.
    """

    taxonomy: Taxonomy
    config: ObjectiveConfig
    class_counts: tuple[int, ...]


Builder = Callable[[ObjectiveContext], nn.Module]
OBJECTIVES: dict[str, Builder] = {}

# Weights of each preset's terms. The papers' weights are not public where marked ours (CMHL gives none).
PRESETS: dict[str, dict[str, float]] = {
    "cross_entropy": {"ce": 1.0},
    "cmhl": {"ce": 1.0, "valence_intensity": 0.5, "contradiction": 0.1},  # weights ours
}


def register(name: str) -> Callable[[Builder], Builder]:
    """Register a builder under a name a config can use."""

    def add(builder: Builder) -> Builder:
        OBJECTIVES[name] = builder
        return builder

    return add


def compute_class_weights(counts: tuple[int, ...], mode: str) -> Tensor | None:
    """Compute weights inversely proportional to class counts, with mean 1 over posts.

    Parameters
    ----------
    counts : tuple of int
        Posts per class; a class without posts gets weight 0.
    mode : str
        ``none`` gives ``None``, ``balanced`` gives ``n / (C · n_c)``.

    Returns
    -------
    Tensor of shape (n_classes,) or None
    """
    if mode == "none":
        return None
    n = torch.tensor(counts, dtype=torch.float32)
    return torch.where(n > 0, n.sum() / (len(counts) * n.clamp(min=1)), torch.zeros(()))
