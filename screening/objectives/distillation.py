"""Learning from what other classifiers say about the training posts, beside their labels."""

from torch import Tensor, nn
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, register


class Distillation(nn.Module):
    """``L = −(1/N) Σ_i Σ_c t_ic log p_ic``, with ``t_i`` the mean class probabilities of the teachers.

    Exactly 0 for posts no teacher has read, which are those of an evaluation. Without the paper's temperature [ours].

    References
    ----------
    .. [1] Hinton, Vinyals, Dean. Distilling the Knowledge in a Neural Network. 2015, arXiv 1503.02531.
    """

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch."""
        if outputs.teacher_probabilities is None:
            return outputs.logits.new_zeros(())
        return functional.cross_entropy(outputs.logits.float(), outputs.teacher_probabilities)


@register("distillation")
def build_distillation(context: ObjectiveContext) -> Distillation:
    """Build from a config."""
    return Distillation()
