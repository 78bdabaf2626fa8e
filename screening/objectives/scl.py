"""Supervised contrastive loss: posts of a class are drawn together, all others apart."""

from torch import Tensor, nn

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, register
from screening.objectives.similarity import compute_contrast


class SupervisedContrastive(nn.Module):
    """``L_SCL = (1/N) Σ_i −1/|P_i| Σ_{p∈P_i} log( e^{h_i·h_p/τ} / Σ_{k≠i} e^{h_i·h_k/τ} )``.

    The papers' formula [1]_ [2]_ (the outer sum of [1]_), as a mean over the ``N`` posts where they write a sum over
    them: so ``λ`` of [2]_ stands between two means here. A post alone in its class counts as 0 in the mean.

    Parameters
    ----------
    temperature : float
        ``τ``, above 0.
    is_normalised : bool
        Contrast representations of length 1, as both papers do.

    References
    ----------
    .. [1] Khosla et al. Supervised Contrastive Learning. NeurIPS 2020, arXiv 2004.11362, equation 2.
    .. [2] Gunel et al. Supervised Contrastive Learning for Pre-trained Language Model Fine-tuning. ICLR 2021,
       arXiv 2011.01403.
    """

    def __init__(self, temperature: float, *, is_normalised: bool = True) -> None:
        super().__init__()
        self.temperature = temperature
        self.is_normalised = is_normalised

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch; labels have shape (n_posts,)."""
        contrast = compute_contrast(
            outputs.contrasted, labels, self.temperature, is_normalised=self.is_normalised
        )  # (n_posts,)
        return contrast.mean()


@register("scl")
def build_supervised_contrastive(context: ObjectiveContext) -> SupervisedContrastive:
    """Build from a config."""
    return SupervisedContrastive(context.preset.temperature, is_normalised=context.preset.is_normalised)
