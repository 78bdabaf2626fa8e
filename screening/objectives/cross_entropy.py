"""Cross-entropy of the class head, and of the weighting network that LCL trains beside it."""

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, compute_class_weights, register


class CrossEntropy(nn.Module):
    """``−Σ_c q_c log p_c`` with optional class weights and label smoothing, as PyTorch has it.

    The mean over posts; with class weights the mean weighted by those of the posts' labels, and 0 for a batch in which
    every label has weight 0.

    Parameters
    ----------
    class_weights : Tensor of shape (n_classes,), optional
    label_smoothing : float in [0, 1)
    of : {"logits", "weighting_logits"}
        Which of the classifier's outputs to compare with the labels.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        *,
        of: Literal["logits", "weighting_logits"] = "logits",
    ) -> None:
        super().__init__()
        self.of = of
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch; labels have shape (n_posts,)."""
        logits = getattr(outputs, self.of).float()  # (n_posts, n_classes)
        compute = partial(
            functional.cross_entropy, logits, labels, weight=self.class_weights, label_smoothing=self.label_smoothing
        )
        if self.class_weights is None:
            return compute()
        total = self.class_weights[labels].sum()
        return compute(reduction="sum") / total.where(total > 0, torch.inf)


@register("ce")
def build_cross_entropy(context: ObjectiveContext) -> CrossEntropy:
    """Build from a config."""
    weights = compute_class_weights(context.class_counts, context.config.class_weights)
    return CrossEntropy(weights, context.config.label_smoothing)


@register("ce_weighting")
def build_weighting_cross_entropy(context: ObjectiveContext) -> CrossEntropy:
    """Build the weighting network's own loss: the same one, so that its softmax learns which classes look alike."""
    weights = compute_class_weights(context.class_counts, context.config.class_weights)
    return CrossEntropy(weights, context.config.label_smoothing, of="weighting_logits")
