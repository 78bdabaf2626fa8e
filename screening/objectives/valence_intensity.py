"""Auxiliary supervision of the valence and intensity heads from the label's place on Russell's circumplex.

The idea is CMHL's (arXiv 2603.14078, abstract); the Huber form and the weights are ours.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, register


class ValenceIntensity(nn.Module):
    """``Σ_i w_i [H(v̂_i − v_y) + H(î_i − i_y)] / n_posts`` with H the Huber function (delta 1).

    Parameters
    ----------
    valence : Tensor of shape (n_classes,)
        Target valence per class, in [-1, 1].
    intensity : Tensor of shape (n_classes,)
        Target intensity per class, in [0, 1].
    coordinate_weight : Tensor of shape (n_classes,)
        Lower where a class's coordinate is uncertain.
    """

    valence: Tensor
    intensity: Tensor
    coordinate_weight: Tensor

    def __init__(self, valence: Tensor, intensity: Tensor, coordinate_weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("valence", valence, persistent=False)
        self.register_buffer("intensity", intensity, persistent=False)
        self.register_buffer("coordinate_weight", coordinate_weight, persistent=False)

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch; labels have shape (n_posts,)."""
        valence = functional.huber_loss(outputs.valence.float(), self.valence[labels], reduction="none")
        intensity = functional.huber_loss(outputs.intensity.float(), self.intensity[labels], reduction="none")
        return torch.mean(self.coordinate_weight[labels] * (valence + intensity))


@register("valence_intensity")
def build_valence_intensity(context: ObjectiveContext) -> ValenceIntensity:
    """Build from a config."""
    labels = context.taxonomy.labels
    return ValenceIntensity(
        torch.tensor([label.valence for label in labels]),
        torch.tensor([label.intensity for label in labels]),
        torch.tensor([label.coordinate_weight for label in labels]),
    )
