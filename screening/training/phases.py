"""A training in phases: all at once, or the representation first and then a classifier on the frozen encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import nn

from screening.config import RunConfig
from screening.objectives import Preset, resolve_preset
from screening.objectives.registry import REPRESENTATION


@dataclass(frozen=True)
class Phase:
    """One stretch of training with its own objective.

    Attributes
    ----------
    name : str
        Subfolder of its checkpoints; empty for a training of one phase.
    config : RunConfig
        The run's config with the phase's objective, epochs, learning rate and choice of the best epoch.
    is_encoder_frozen : bool
        Train the heads alone, on what the encoder gives in evaluation mode.
    has_class_head : bool
        Whether the class head learns in it, or did before.
    title : str
        What a progress bar calls it.
    """

    name: str
    config: RunConfig
    is_encoder_frozen: bool = False
    has_class_head: bool = True
    title: str = "training"


def plan_phases(config: RunConfig) -> tuple[Phase, ...]:
    """Divide a training into phases, as the objective's schedule says.

    The papers' two phases are SCL on the encoder, then cross-entropy on its frozen output (Khosla et al. 2020). How the
    first one chooses its best epoch without a class head is ours, see
    :func:`~screening.training.evaluation.compute_neighbour_logits`.
    """
    preset = resolve_preset(config.objective)
    if preset.schedule == "joint":
        return (Phase("", config),)
    second = {
        "epochs": config.objective.classifier_epochs,
        "learning_rate": config.objective.classifier_learning_rate,
    }
    return (
        Phase("representation", _keep_terms(config, preset, {}, of_representation=True), has_class_head=False),
        Phase("classifier", _keep_terms(config, preset, second, of_representation=False), is_encoder_frozen=True),
    )


@contextmanager
def frozen_encoder(classifier: Any, *, is_frozen: bool) -> Iterator[None]:
    """Take the encoder, and the choice among its layers, out of training for the length of a ``with`` block."""
    parts: list[nn.Module] = [classifier.encoder, classifier.layer_attention or nn.Module()]
    weights = [weight for part in parts for weight in part.parameters()] if is_frozen else []
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def join_logs(logs: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the logs of phases under each other and count their epochs on."""
    joined, n_epochs = [], 0.0
    for log in logs:
        joined.append(log.assign(epoch=log["epoch"] + n_epochs))
        n_epochs = float(joined[-1]["epoch"].max())
    return pd.concat(joined, ignore_index=True)


def _keep_terms(config: RunConfig, preset: Preset, training: dict[str, Any], *, of_representation: bool) -> RunConfig:
    """Give every other term the weight 0."""
    weights = {
        name: weight if (name in REPRESENTATION) == of_representation else 0.0
        for name, weight in preset.weights.items()
    }
    views = preset.n_views if of_representation else 1  # a frozen encoder has no dropout to tell views apart
    objective = {"weights": weights, "schedule": "joint", "n_views": views}
    return config.model_copy(
        update={
            "objective": config.objective.model_copy(update=objective),
            "training": config.training.model_copy(update=training),
        }
    )
