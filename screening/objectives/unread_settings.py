"""A setting that no term of the training reads is a mistake worth a word: it would do nothing."""

from screening.config import ObjectiveConfig
from screening.exceptions import ConfigError
from screening.objectives.registry import CONTRASTIVE, DETECTION, MOMENTUM, WEIGHTED, resolve_preset

READERS = {
    "temperature": CONTRASTIVE,
    "is_normalised": CONTRASTIVE,
    "projection_size": CONTRASTIVE,
    "ramp_fraction": CONTRASTIVE,
    "weighting_network": WEIGHTED,
    "coordinate_scale": MOMENTUM,
    "queue_size": MOMENTUM,
    "key_momentum": MOMENTUM,
    "perturbed_fraction": DETECTION,
}
"""Settings of the objective, and the terms that read them."""


def refuse_unread_settings(config: ObjectiveConfig, *, is_pretrained: bool = False) -> None:
    """Refuse settings that were chosen and that nothing reads.

    Parameters
    ----------
    config : ObjectiveConfig
    is_pretrained : bool
        Whether a stage on rated sentences comes before, which reads what its own terms read.

    Raises
    ------
    ConfigError
        If there is one; it names the terms that would read it.
    """
    present = {*resolve_preset(config).weights, *((*MOMENTUM, *DETECTION) if is_pretrained else ())}
    for name, readers in READERS.items():
        if getattr(config, name) is not None and present.isdisjoint(readers):
            message = (
                f"objective.{name} is read by {', '.join(readers)} alone, and this training has none of them (preset "
                f"{config.preset}: {', '.join(resolve_preset(config).weights)}); leave it out, or give such a term a "
                "weight in objective.weights"
            )
            raise ConfigError(message)
