"""LCL's weighting network, which learns which classes look alike; a classifier carries it in training only."""

from typing import Any

import torch
from torch import Tensor, nn

from screening.models.encoder import load_encoder
from screening.models.pooling import POOLINGS


class WeightingEncoder(nn.Module):
    """A second encoder with a class head of its own, as in Suresh and Ong (EMNLP 2021).

    Parameters
    ----------
    encoder : transformers.PreTrainedModel
    n_classes : int
    pooling : {"cls", "mean"}
    dropout : float in [0, 1)
        Before the head.
    """

    def __init__(self, encoder: Any, n_classes: int, *, pooling: str, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(encoder.config.hidden_size, n_classes))

    def forward(self, input_ids: Tensor | None, attention_mask: Tensor | None, pooled: Tensor) -> Tensor:
        """Read the posts again; returns logits of shape (n_posts, n_classes)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask if attention_mask is not None else torch.ones(hidden.shape[:2], device=hidden.device)
        return self.head(POOLINGS[self.pooling](hidden, mask))


class WeightingHead(nn.Module):
    """A class head on the shared encoder [ours], which costs next to nothing beside a second one.

    Its gradient flows on into the encoder. Two layers, so that it need not copy the class head, which is linear.
    """

    def __init__(self, n_hidden: int, n_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_hidden, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_classes))

    def forward(self, input_ids: Tensor | None, attention_mask: Tensor | None, pooled: Tensor) -> Tensor:
        """Weigh the classes of representations of shape (n_posts, n_hidden)."""
        return self.layers(pooled)


def load_weighting_encoder(name: str, n_classes: int, *, pooling: str, dropout: float) -> WeightingEncoder:
    """Put a fresh head on the last layer of a second copy of a pre-trained encoder, without attention dropout.

    See :func:`screening.models.encoder.load_encoder`.
    """
    encoder, _ = load_encoder(name, dropout=dropout, attention_dropout=0.0)
    return WeightingEncoder(encoder, n_classes, pooling=pooling, dropout=dropout)
