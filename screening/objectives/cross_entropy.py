"""Cross-entropy of the class head."""

from torch import Tensor, nn
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, compute_class_weights, register


class CrossEntropy(nn.Module):
    """``−Σ_c q_c log p_c`` with optional class weights and label smoothing, averaged over posts.

    Parameters
    ----------
    class_weights : Tensor of shape (n_classes,), optional
    label_smoothing : float in [0, 1)
    """

    class_weights: Tensor | None

    def __init__(self, class_weights: Tensor | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch; labels have shape (n_posts,)."""
        logits = outputs.logits.float()  # (n_posts, n_classes)
        return functional.cross_entropy(logits, labels, weight=self.class_weights, label_smoothing=self.label_smoothing)


@register("ce")
def build_cross_entropy(context: ObjectiveContext) -> CrossEntropy:
    """Build from a config."""
    weights = compute_class_weights(context.class_counts, context.config.class_weights)
    return CrossEntropy(weights, context.config.label_smoothing)
