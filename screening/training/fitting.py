"""Fit a classifier on prepared posts: tokenise, train, keep the best epoch, resume after a kill."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from transformers import PrinterCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from screening.allocator import keep_freed_memory
from screening.config import ObjectiveConfig, RunConfig
from screening.inference.windows import tokenize
from screening.models.attention import matrix_gradient
from screening.models.classifier import RiskClassifier
from screening.objectives import (
    CombinedObjective,
    Preset,
    attach_training_parts,
    build_objective,
    resolve_preset,
)
from screening.objectives.unread_settings import refuse_unread_settings
from screening.taxonomy import Taxonomy
from screening.threads import limit_threads
from screening.training.arguments import build_arguments
from screening.training.callbacks import (
    BEST_WEIGHTS,
    FollowWithMomentum,
    KeepBest,
    PhaseCallback,
    WholeCheckpoint,
    find_whole_checkpoint,
)
from screening.training.collapse import CollapseGuard
from screening.training.collator import PaddingCollator
from screening.training.ema import WeightAverage
from screening.training.evaluation import EPOCH_METRICS, build_metrics, refuse_unmeasurable
from screening.training.perturbation import TokenPerturber
from screening.training.phases import Phase, frozen_encoder, join_logs, plan_phases
from screening.training.pretraining import (
    build_pretraining_metrics,
    build_pretraining_objective,
    load_pretraining_ratings,
    plan_pretraining,
    tokenize_ratings,
)
from screening.training.processes import count_before, wait_for_all
from screening.training.representations import add_representations
from screening.training.teachers import add_teachers
from screening.training.trainer import RiskTrainer, count_steps


@dataclass(frozen=True)
class FittedClassifier:
    """A classifier with the weights of its best evaluation.

    Attributes
    ----------
    classifier : RiskClassifier
    tokenizer : transformers.PreTrainedTokenizerBase
    history : pandas.DataFrame
        One row per log line of the trainer (epoch, losses, validation metrics).
    """

    classifier: RiskClassifier
    tokenizer: Any
    history: pd.DataFrame


@dataclass(frozen=True)
class _Material:
    """What phases that read the same posts work with."""

    tokenizer: Any
    train: Any
    validation: Any
    build_objective: Callable[[ObjectiveConfig], CombinedObjective]
    build_metrics: Callable[..., Any]
    precision: str
    callbacks: tuple[Any, ...]


def fit_classifier(
    config: RunConfig,
    taxonomy: Taxonomy,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    folder: Path,
    *,
    precision: str = "fp32",
    callbacks: tuple[Any, ...] = (),
) -> FittedClassifier:
    """Fit on ``train``, choosing the epoch on ``validation``; all processes of a job call this alike.

    Parameters
    ----------
    config : RunConfig
    taxonomy : Taxonomy
    train, validation : DataFrame
        Columns ``text`` and ``label``.
    folder : Path
        Checkpoints go here; a second call with the same folder goes on from the last whole one and ends with the same
        weights as an uninterrupted call.
    precision : {"fp32", "bf16"}
    callbacks : tuple of transformers.TrainerCallback

    Returns
    -------
    FittedClassifier

    Raises
    ------
    ConfigError
        If the batch cannot be divided among the processes, a preset needs rated sentences or teachers and none are
        named, a setting of the objective is read by none of its terms, or the epoch is to be chosen by a target that
        no validation post, or every one, carries.
    SchemaError
        If rated sentences are not as the config says.
    """
    config = _choose_seed(config)
    refuse_unread_settings(config)
    refuse_unmeasurable(config.training.best_by, taxonomy, validation["label"].tolist())
    ratings = load_pretraining_ratings(config)
    keep_freed_memory()
    torch.set_num_threads(config.training.n_threads or limit_threads())
    torch.manual_seed(config.seed)
    classifier, tokenizer = _build_classifier(config, taxonomy)
    are_scales_trained = "valence_intensity" in resolve_preset(config.objective).weights and taxonomy.has_coordinates
    classifier.config.has_trained_scales = are_scales_trained
    max_tokens = config.model.max_tokens
    class_counts = tuple(int((train["label"] == name).sum()) for name in taxonomy.names)
    tokenized = tokenize_posts(train, tokenizer, taxonomy, max_tokens)
    material = _Material(
        tokenizer=tokenizer,
        train=add_teachers(tokenized, train["text"].tolist(), config, taxonomy.names, precision),
        validation=tokenize_posts(validation, tokenizer, taxonomy, max_tokens),
        build_objective=partial(build_objective, taxonomy=taxonomy, class_counts=class_counts),
        build_metrics=partial(build_metrics, taxonomy),
        precision=precision,
        callbacks=callbacks,
    )
    plan = [(phase, material) for phase in plan_phases(config)]
    if ratings is not None:
        rated = replace(
            material,
            train=tokenize_ratings(ratings.train, tokenizer, max_tokens),
            validation=tokenize_ratings(ratings.validation, tokenizer, max_tokens),
            build_objective=build_pretraining_objective,
            build_metrics=build_pretraining_metrics,
        )
        plan.insert(0, (plan_pretraining(config), rated))
    logs = []
    drawn_so_far = torch.get_rng_state()
    for phase, posts in plan:
        torch.set_rng_state(drawn_so_far)  # a phase starts alike, whether the one before is trained now or was before
        logs.append(_fit_phase(phase, classifier, posts, folder / phase.name))
    return FittedClassifier(classifier.eval(), tokenizer, join_logs(logs))


def _choose_seed(config: RunConfig) -> RunConfig:
    seed = config.training.seed
    return config if seed is None else config.model_copy(update={"seed": seed})


def _fit_phase(phase: Phase, classifier: RiskClassifier, material: _Material, folder: Path) -> pd.DataFrame:
    """Leave the phase's best weights in the classifier, and no part that only training needs; return the log."""
    folder.mkdir(exist_ok=True)
    preset = resolve_preset(phase.config.objective)
    label = torch.tensor(material.train[0]["labels"])
    attach_training_parts(classifier, preset, phase.config.model, label)
    with frozen_encoder(classifier, is_frozen=phase.is_encoder_frozen), matrix_gradient(classifier):
        if phase.is_encoder_frozen:
            material = _represent_posts(classifier, material, phase.config.model.max_tokens)
        trainer, keep_best = _build_trainer(phase, preset, classifier, material, folder)
        torch.manual_seed(phase.config.seed + count_before())  # processes share weights, but not what dropout draws
        state = _train_or_resume(trainer, keep_best)
    wait_for_all()  # one of them writes the best weights
    classifier.load_state_dict(load_file(folder / BEST_WEIGHTS))
    wait_for_all()  # and the caller may remove the folder
    classifier.training_parts.clear()
    return pd.DataFrame(state.log_history)


def _represent_posts(classifier: RiskClassifier, material: _Material, max_tokens: int) -> _Material:
    """Let the frozen encoder read every post once, and not in every epoch."""
    listeners = [callback for callback in material.callbacks if isinstance(callback, PhaseCallback)]

    def report(n_read: int, n_posts: int) -> None:
        for listener in listeners:
            listener.on_posts_read(n_read, n_posts)

    settings = (classifier, material.tokenizer.pad_token_id, max_tokens, material.precision, report)
    train, validation = (add_representations(posts, *settings) for posts in (material.train, material.validation))
    return replace(material, train=train, validation=validation)


def _build_trainer(
    phase: Phase, preset: Preset, classifier: RiskClassifier, material: _Material, folder: Path
) -> tuple[RiskTrainer, KeepBest]:
    config, settings = phase.config, phase.config.training
    n_steps = count_steps(len(material.train), settings.batch_size, settings.epochs)
    ema = WeightAverage(classifier, settings.ema_decay) if settings.ema_decay else None
    keep_best = KeepBest(
        folder,
        f"eval_{settings.best_by}",
        greater_is_better=settings.best_by != "loss",
        patience=settings.early_stopping_patience,
        ema=ema,
    )
    trainer = RiskTrainer(
        model=classifier,
        args=build_arguments(phase, folder, material.precision, n_steps),
        objective=material.build_objective(config.objective),
        ema=ema,
        n_views=preset.n_views,
        perturber=_build_perturber(preset, material),
        layer_decay=settings.layer_decay,
        train_dataset=material.train,
        eval_dataset=material.validation,
        data_collator=PaddingCollator(material.tokenizer, config.model.max_tokens),
        compute_metrics=material.build_metrics(has_class_head=phase.has_class_head),
        callbacks=[FollowWithMomentum(), WholeCheckpoint(ema), keep_best, CollapseGuard(), *material.callbacks],
    )
    trainer.remove_callback(PrinterCallback)  # callers that want progress pass a callback
    return trainer, keep_best


def _build_perturber(preset: Preset, material: _Material) -> TokenPerturber | None:
    if not preset.needs_detection_head:
        return None
    return TokenPerturber.from_posts(preset.perturbed_fraction, material.train["input_ids"], material.tokenizer)


def _build_classifier(config: RunConfig, taxonomy: Taxonomy) -> tuple[RiskClassifier, Any]:
    model = config.model
    return RiskClassifier.from_encoder(
        model.encoder,
        taxonomy.names,
        pooling=model.pooling,
        layers=model.layers or resolve_preset(config.objective).layers,
        max_tokens=model.max_tokens,
        dropout=model.dropout,
        attention_dropout=model.attention_dropout,
    )


def _train_or_resume(trainer: RiskTrainer, keep_best: KeepBest) -> TrainerState:
    """Train from the last whole checkpoint, if there is one and it is not the end already."""
    checkpoint = find_whole_checkpoint(keep_best.folder)
    if checkpoint is None:
        trainer.train()
        return trainer.state
    state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
    if keep_best.is_finished(state):
        return state
    if trainer.ema:
        trainer.ema.load(checkpoint)
    trainer.train(resume_from_checkpoint=str(checkpoint))
    return trainer.state


def tokenize_posts(posts: pd.DataFrame, tokenizer: Any, taxonomy: Taxonomy, max_tokens: int) -> Any:
    """Turn posts into a ``datasets.Dataset`` of ``input_ids``, ``labels`` and ``n_tokens``, cut at ``max_tokens``."""
    from datasets import Dataset

    input_ids, _ = tokenize(tokenizer, posts["text"].tolist(), max_tokens)
    return Dataset.from_dict(
        {
            "input_ids": input_ids,
            "labels": taxonomy.encode(posts["label"]),
            "n_tokens": [len(ids) for ids in input_ids],
        }
    )


def summarise_history(log: pd.DataFrame) -> pd.DataFrame:
    """Summarise the trainer's log lines to one row per epoch.

    Returns
    -------
    DataFrame
        ``epoch``, ``train_loss`` (mean of the epoch's log lines), its parts ``train_loss_<objective>``, and
        ``validation_<metric>``.
    """
    epoch = np.ceil(log["epoch"].round(6)).astype(int).rename("epoch")
    train = log.filter(regex=r"^loss").add_prefix("train_").groupby(epoch).mean()
    validation = log.filter(regex=rf"^eval_({'|'.join(EPOCH_METRICS)})$")
    validation = validation.rename(columns=lambda name: name.replace("eval_", "validation_"))
    return train.join(validation.groupby(epoch).last()).reset_index()
