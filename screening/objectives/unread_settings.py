"""A setting that nothing of the training reads is a mistake worth a word: it would do nothing."""

from screening.config import ObjectiveConfig, RunConfig
from screening.exceptions import ConfigError
from screening.objectives.registry import (
    CONTRASTIVE,
    DETECTION,
    MOMENTUM,
    OF_TWO_VIEWS,
    WEIGHTED,
    Preset,
    resolve_preset,
)

READERS = {
    "class_weights": ("ce", "ce_weighting"),
    "label_smoothing": ("ce", "ce_weighting"),
    "contradiction_form": ("contradiction",),
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
OF_TRAINING = ("ramp_fraction",)
"""Settings that a stage on rated sentences does not read, whatever its terms."""
OF_TWO_PHASES = ("classifier_epochs", "classifier_learning_rate")
"""Settings that only the second of two phases reads."""


def refuse_unread_settings(config: RunConfig) -> None:
    """Refuse settings of the objective that differ from their defaults and that nothing reads.

    A stage on rated sentences reads what its own terms read.

    Raises
    ------
    ConfigError
        If there is one; it names what would read it.
    """
    preset = resolve_preset(config.objective)
    is_pretrained = config.pretraining.path is not None
    of_stage = (*MOMENTUM, *(DETECTION if config.pretraining.detection_weight > 0 else ())) if is_pretrained else ()
    for name, readers in READERS.items():
        present = {*preset.weights, *(() if name in OF_TRAINING else of_stage)}
        if _is_chosen(config.objective, name) and present.isdisjoint(readers):
            message = (
                f"objective.{name} is read by {', '.join(readers)} alone, and this training has none of them (preset "
                f"{config.objective.preset}: {', '.join(preset.weights)}); leave it out, or give such a term a weight "
                "in objective.weights"
            )
            raise ConfigError(message)
    _refuse_unread_phase(config.objective, preset)
    _refuse_equal_views(config, preset)


def _is_chosen(config: ObjectiveConfig, name: str) -> bool:
    return bool(getattr(config, name) != ObjectiveConfig.model_fields[name].default)


def _refuse_unread_phase(config: ObjectiveConfig, preset: Preset) -> None:
    chosen = [name for name in OF_TWO_PHASES if _is_chosen(config, name)]
    if chosen and preset.schedule != "two_phase":
        message = (
            f"objective.{chosen[0]} is read by the second of two phases, and this training has one (schedule "
            f"{preset.schedule}); leave it out, or set objective.schedule=two_phase"
        )
        raise ConfigError(message)


def _refuse_equal_views(config: RunConfig, preset: Preset) -> None:
    of_two = [name for name in preset.weights if name in OF_TWO_VIEWS]
    if of_two and config.model.dropout == config.model.attention_dropout == 0:
        message = (
            f"objective.weights: {of_two[0]} compares two views of a post, which are the same without dropout; set "
            f"model.dropout above 0, or the weight of {of_two[0]} to 0"
        )
        raise ConfigError(message)
