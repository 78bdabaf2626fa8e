"""Two readings of a post with other dropout should say the same: R-Drop."""

from torch import Tensor, nn
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, register


class RDrop(nn.Module):
    """``L = (1/N) Σ_i ½ [KL(p_i‖q_i) + KL(q_i‖p_i)]`` between the class probabilities of a post's two views.

    Exactly 0 in evaluation mode, where a post is read once. The paper adds it to the *sum* of both views'
    cross-entropies; ours stand in ``ce`` as their mean, so that a weight here is half the paper's ``α``.

    References
    ----------
    .. [1] Liang et al. R-Drop: Regularized Dropout for Neural Networks. NeurIPS 2021, arXiv 2106.14448.
    """

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch in which the two views of a post stand next to each other."""
        if not self.training:
            return outputs.logits.new_zeros(())
        log_probabilities = functional.log_softmax(outputs.logits.float(), dim=1)
        first, second = log_probabilities[::2], log_probabilities[1::2]  # (n_posts, n_classes)
        return ((first.exp() - second.exp()) * (first - second)).sum(dim=1).mean() / 2


@register("r_drop")
def build_r_drop(context: ObjectiveContext) -> RDrop:
    """Build from a config."""
    return RDrop()
