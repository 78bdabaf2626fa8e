"""Label-aware contrastive loss: classes that are easily taken for each other weigh more, and how much is learned."""

from torch import Tensor, nn
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, register
from screening.objectives.similarity import compute_contrast


class LabelAwareContrastive(nn.Module):
    """``L_LCL = (1/N) Σ_i −w_{i,y_i}/|P_i| Σ_{p∈P_i} log( e^{h_i·h_p/τ} / Σ_{k≠i} w_{i,y_k} e^{h_i·h_k/τ} )``.

    ``w_i = softmax(g_i)`` comes from the weighting network, which learns through this loss too. The form is the one the
    authors' code computes: ``w_{i,y_i}`` stands outside the logarithm (equation 3 of [1]_ has it inside) and every
    ``k ≠ i`` is weighted. Equal weights give ``(L_SCL − s log C) / C``, ``s`` the share of posts that are not alone in
    their class, so the loss may be negative.

    Parameters
    ----------
    temperature : float
        ``τ``, above 0.
    is_normalised : bool
        Contrast representations of length 1.

    References
    ----------
    .. [1] Suresh, Ong. Not All Negatives are Equal: Label-Aware Contrastive Loss for Fine-grained Text Classification.
       EMNLP 2021, arXiv 2109.05427.
    """

    def __init__(self, temperature: float, *, is_normalised: bool = True) -> None:
        super().__init__()
        self.temperature = temperature
        self.is_normalised = is_normalised

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch; labels have shape (n_posts,)."""
        log_weights = functional.log_softmax(outputs.weighting_logits.float(), dim=1)  # (n_posts, n_classes)
        contrast = compute_contrast(
            outputs.contrasted,
            labels,
            self.temperature,
            is_normalised=self.is_normalised,
            log_weights=log_weights,
        )  # (n_posts,)
        own_weight = log_weights.gather(1, labels[:, None]).squeeze(1).exp()
        return (own_weight * contrast).mean()


@register("lcl")
def build_label_aware_contrastive(context: ObjectiveContext) -> LabelAwareContrastive:
    """Build from a config."""
    return LabelAwareContrastive(context.preset.temperature, is_normalised=context.preset.is_normalised)
