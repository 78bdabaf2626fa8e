"""A weighted sum of objectives that remembers each part for the log."""

from torch import Tensor, nn

from screening.config import ObjectiveConfig
from screening.models.classifier import RiskClassifierOutput
from screening.objectives import (  # noqa: F401  they register
    contradiction,
    cross_entropy,
    distillation,
    lcl,
    mccl,
    ptd,
    r_drop,
    scl,
    valence_intensity,
)
from screening.objectives.registry import CONTRASTIVE, DETECTION, OBJECTIVES, ObjectiveContext, resolve_preset
from screening.taxonomy import Taxonomy


class CombinedObjective(nn.Module):
    """``L(t) = Σ_k λ_k r_k(t) L_k`` at the share ``t`` of training done.

    ``r_k(t) = min(1, t / ramp_fraction)`` for contrastive terms, 1 for the others and without a ramp.

    Parameters
    ----------
    terms : dict of str to nn.Module
        Losses by name, each called with ``(outputs, labels)``.
    weights : dict of str to float
        ``λ_k`` for every term.
    ramp_fraction : float in [0, 1]
    """

    def __init__(self, terms: dict[str, nn.Module], weights: dict[str, float], ramp_fraction: float = 0.0) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.weights = weights
        self.ramp_fraction = ramp_fraction

    def forward(
        self, outputs: RiskClassifierOutput, labels: Tensor, progress: float = 1.0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the total loss and its unweighted parts (detached).

        Parameters
        ----------
        outputs : RiskClassifierOutput
        labels : Tensor of int64, shape (n_posts,)
        progress : float in [0, 1]
            Share of training done; an evaluation takes 1, so that its losses can be compared.
        """
        parts = {name: term(outputs, labels) for name, term in self.terms.items()}
        weighted = (self._compute_weight(name, progress) * part for name, part in parts.items())
        total = sum(weighted, start=outputs.logits.new_zeros(()))
        return total, {name: part.detach() for name, part in parts.items()}

    def compute_undetected(self, outputs: RiskClassifierOutput, labels: Tensor, progress: float = 1.0) -> Tensor:
        """Compute the total loss without the terms that need replaced tokens: its gradient chooses those tokens."""
        names = [name for name in self.terms if name not in DETECTION]
        weighted = (self._compute_weight(name, progress) * self.terms[name](outputs, labels) for name in names)
        return sum(weighted, start=outputs.logits.new_zeros(()))

    def _compute_weight(self, name: str, progress: float) -> float:
        if name not in CONTRASTIVE or progress >= self.ramp_fraction:
            return self.weights[name]
        return self.weights[name] * progress / self.ramp_fraction


def build_objective(config: ObjectiveConfig, taxonomy: Taxonomy, class_counts: tuple[int, ...]) -> CombinedObjective:
    """Build a preset's objective with the config's choices over it.

    Raises
    ------
    ConfigError
        See :func:`~screening.objectives.registry.resolve_preset`.
    """
    preset = resolve_preset(config)
    context = ObjectiveContext(taxonomy, config, class_counts, preset)
    terms = {name: OBJECTIVES[name](context) for name in preset.weights}
    return CombinedObjective(terms, preset.weights, preset.ramp_fraction)
