"""Contradiction loss: confidence in two labels that exclude each other costs.

The idea is CMHL's (arXiv 2603.14078, abstract); the three forms are ours, the paper's formula is not public.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, register


class Contradiction(nn.Module):
    """One of three forms, averaged over posts.

    A: ``Σ_{(a,b)} p_a p_b`` over incompatible pairs, ``p`` the softmax probabilities.
    B: ``Σ_{(a,b)} max(0, s_a + s_b − 1)²`` with ``s`` the sigmoid of each logit.
    C: ``(v̂ − Σ_c p_c v_c)²``, the valence head against the class head.

    Parameters
    ----------
    pairs : tuple of (int, int)
        Incompatible label indices; without any, A and B are 0.
    valence : Tensor of shape (n_classes,)
        Valence per class, in [-1, 1]; form C reads it.
    form : {"A", "B", "C"}
    """

    first: Tensor
    second: Tensor
    valence: Tensor

    def __init__(self, pairs: tuple[tuple[int, int], ...], valence: Tensor, form: Literal["A", "B", "C"] = "A") -> None:
        super().__init__()
        self.form = form
        index = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)
        self.register_buffer("first", index[:, 0], persistent=False)
        self.register_buffer("second", index[:, 1], persistent=False)
        self.register_buffer("valence", valence, persistent=False)

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch; labels are not used."""
        logits = outputs.logits.float()  # (n_posts, n_classes)
        if self.form == "B":
            scores = torch.sigmoid(logits)
            excess = (scores[:, self.first] + scores[:, self.second] - 1).clamp(min=0)  # (n_posts, n_pairs)
            return excess.square().sum(dim=1).mean()
        probabilities = torch.softmax(logits, dim=1)
        if self.form == "C":
            expected = (probabilities * self.valence).sum(dim=1)  # (n_posts,), in fp32 also under autocast
            return torch.mean((outputs.valence.float() - expected).square())
        return (probabilities[:, self.first] * probabilities[:, self.second]).sum(dim=1).mean()


@register("contradiction")
def build_contradiction(context: ObjectiveContext) -> Contradiction:
    """Build from a config."""
    valence = torch.tensor([label.valence for label in context.taxonomy.labels])
    return Contradiction(context.taxonomy.incompatible_indices, valence, context.config.contradiction_form)
