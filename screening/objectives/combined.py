"""A weighted sum of objectives that remembers each part for the log."""

from torch import Tensor, nn

from screening.config import ObjectiveConfig
from screening.exceptions import ConfigError
from screening.models.classifier import RiskClassifierOutput
from screening.objectives import contradiction, cross_entropy, valence_intensity  # noqa: F401  registers the builders
from screening.objectives.registry import OBJECTIVES, PRESETS, ObjectiveContext
from screening.taxonomy import Taxonomy


class CombinedObjective(nn.Module):
    """``L = Σ_t λ_t L_t``.

    Parameters
    ----------
    terms : dict of str to nn.Module
        Losses by name, each called with ``(outputs, labels)``.
    weights : dict of str to float
        ``λ_t`` for every term.
    """

    def __init__(self, terms: dict[str, nn.Module], weights: dict[str, float]) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.weights = weights

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the total loss and its unweighted parts (detached)."""
        parts = {name: term(outputs, labels) for name, term in self.terms.items()}
        total = sum((self.weights[name] * part for name, part in parts.items()), start=outputs.logits.new_zeros(()))
        return total, {name: part.detach() for name, part in parts.items()}


def build_objective(config: ObjectiveConfig, taxonomy: Taxonomy, class_counts: tuple[int, ...]) -> CombinedObjective:
    """Build a preset's objective with the config's weights over it; a weight of 0 removes a term.

    Raises
    ------
    ConfigError
        If the preset or a term is unknown, or nothing is left to minimise.
    """
    if config.preset not in PRESETS:
        message = f"objective.preset: no preset {config.preset!r}; presets are {', '.join(sorted(PRESETS))}"
        raise ConfigError(message)
    weights = {**PRESETS[config.preset], **config.weights}
    unknown = sorted(set(weights) - set(OBJECTIVES))
    if unknown:
        message = f"objective.weights: unknown terms {unknown}; terms are {', '.join(sorted(OBJECTIVES))}"
        raise ConfigError(message)
    active = {name: weight for name, weight in weights.items() if weight != 0}
    if not active:
        message = "objective.weights: every term has weight 0, so there is nothing to minimise"
        raise ConfigError(message)
    context = ObjectiveContext(taxonomy, config, class_counts)
    return CombinedObjective({name: OBJECTIVES[name](context) for name in active}, active)
