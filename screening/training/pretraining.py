"""CARL's stage before training: the encoder learns where rated sentences lie, and which tokens do not belong in them.

The two tasks and EmoBank are in the abstract of arXiv 2502.20613; the formulas, the stage's shape, how the best epoch
is chosen, and every number are ours.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from screening.config import ObjectiveConfig, RunConfig
from screening.data.ratings import RatedSentences, load_ratings
from screening.exceptions import ConfigError
from screening.inference.windows import tokenize
from screening.objectives import CombinedObjective, resolve_preset
from screening.objectives.mccl import ContinuousContrast
from screening.objectives.ptd import PerTokenDetection
from screening.training.collapse import measure_rank_collapse, refuse_divergence
from screening.training.phases import Phase

PRETRAINING = "pretraining"


def validate_pretraining(config: RunConfig) -> None:
    """Refuse a preset that is not itself without rated sentences, if there are none.

    Raises
    ------
    ConfigError
        With what to set.
    """
    preset = resolve_preset(config.objective)
    if preset.is_pretrained and config.pretraining.path is None:
        extra = " ".join(f"--set objective.weights.{name}={preset.weights.get(name, 0.1)}" for name in ("mccl", "ptd"))
        message = (
            f"objective.preset={config.objective.preset} pre-trains the encoder on sentences rated for valence and "
            "arousal, such as EmoBank's, and none are named: --set pretraining.path=FILE_OR_FOLDER; to train with its "
            f"losses alone: --set objective.preset=cross_entropy {extra}"
        )
        raise ConfigError(message)


def load_pretraining_ratings(config: RunConfig) -> RatedSentences | None:
    """Read the rated sentences; ``None`` if the config names none and needs none."""
    validate_pretraining(config)
    path = config.pretraining.path
    return load_ratings(path, config.pretraining, config.seed) if path is not None else None


def plan_pretraining(config: RunConfig) -> Phase:
    """Plan the stage as a phase of its own, which keeps the epoch with the lowest validation loss.

    Batch, schedule, clipping and precision are the training's; the terms' settings are the objective's.
    """
    weights = dict.fromkeys(resolve_preset(config.objective).weights, 0.0)
    weights |= {"mccl": 1.0, "ptd": config.pretraining.detection_weight}
    objective = {"weights": weights, "schedule": "joint", "n_views": 1, "ramp_fraction": 0.0}
    training = {
        "epochs": config.pretraining.epochs,
        "learning_rate": config.pretraining.learning_rate,
        "best_by": "loss",
        "early_stopping_patience": config.pretraining.epochs,
    }
    phase_config = config.model_copy(
        update={
            "objective": config.objective.model_copy(update=objective),
            "training": config.training.model_copy(update=training),
        }
    )
    return Phase(PRETRAINING, phase_config, has_class_head=False, title="pre-training")


def build_pretraining_objective(config: ObjectiveConfig) -> CombinedObjective:
    """Build continuous contrast, whose labels are the ratings themselves, and token detection."""
    preset = resolve_preset(config)
    contrast = ContinuousContrast(None, preset.temperature, preset.coordinate_scale, is_normalised=preset.is_normalised)
    terms = {"mccl": contrast, "ptd": PerTokenDetection()}
    return CombinedObjective({name: terms[name] for name in preset.weights}, preset.weights)


def build_pretraining_metrics(**_: Any) -> Callable[[Any], dict[str, float]]:
    """Build the function that measures validation sentences after an epoch: nothing but a collapse, without classes."""

    def compute_metrics(prediction: Any) -> dict[str, float]:
        _, pooled = prediction.predictions
        refuse_divergence(pooled)
        return measure_rank_collapse(pooled, prediction.label_ids)

    return compute_metrics


def tokenize_ratings(rated: pd.DataFrame, tokenizer: Any, max_tokens: int) -> Any:
    """Turn sentences into a ``datasets.Dataset`` of ``input_ids``, ``labels`` (valence, arousal) and ``n_tokens``."""
    from datasets import Dataset

    input_ids, _ = tokenize(tokenizer, rated["text"].tolist(), max_tokens)
    return Dataset.from_dict(
        {
            "input_ids": input_ids,
            "labels": rated[["valence", "arousal"]].to_numpy().tolist(),
            "n_tokens": [len(ids) for ids in input_ids],
        }
    )
