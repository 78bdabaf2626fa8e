"""Stage train: fit the classifier (resuming a killed one) and the TF-IDF baseline."""

import json
import shutil
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipelines.artifacts import RunFolder, write_json
from pipelines.run import RunContext, compute_fingerprints
from pipelines.training_progress import TrainingProgress
from screening.data.preparation import load_split
from screening.data.ratings import count_rated
from screening.exceptions import ConfigError
from screening.inference.precision import resolve_precision
from screening.models.baseline import TfidfBaseline
from screening.training.fitting import FittedClassifier, fit_classifier, summarise_history
from screening.training.pretraining import load_pretraining_ratings
from screening.training.processes import count_posts_per_process, leave, start_training, wait_for_training
from screening.training.teachers import validate_teachers
from screening.types import SPLITS
from screening.whole_writes import write_folder_whole


def run(context: RunContext) -> None:
    """Write ``model/``: classifier, tokenizer, baseline, history; checkpoints are removed once it is whole."""
    folder = context.folder
    count_posts_per_process(context.config.training.batch_size)
    _require_same_splits(context)
    _require_unseen_splits(context)  # what is wrong with rated sentences shows before the long part
    train = load_split(folder.split("train"))
    baseline = fit_baseline(context, train)  # seconds; what is wrong with the labels shows before the long part
    _discard_stale_checkpoints(context)
    start_training()
    fitted = _fit(context, train, TrainingProgress(context.console))
    with write_folder_whole(folder.model) as aside:
        fitted.classifier.save_pretrained(aside)
        fitted.tokenizer.save_pretrained(aside)
        baseline.save(aside / folder.baseline.name)
        history = json.loads(summarise_history(fitted.history).to_json(orient="records"))
        write_json(aside / folder.history.name, history)
    shutil.rmtree(folder.checkpoints)


def follow(context: RunContext) -> None:
    """Take part in the training that another process leads; writes only this process's part of its checkpoints."""
    if wait_for_training():
        _fit(context, load_split(context.folder.split("train")))
    leave()


def _fit(context: RunContext, train: pd.DataFrame, *callbacks: Any) -> FittedClassifier:
    config, folder = context.config, context.folder
    return fit_classifier(
        config,
        context.taxonomy,
        train,
        load_split(folder.split("validation")),
        folder.checkpoints,
        precision=resolve_precision(config.training.precision, "cuda" if torch.cuda.is_available() else "cpu"),
        callbacks=callbacks,
    )


def fit_baseline(context: RunContext, train: pd.DataFrame) -> TfidfBaseline:
    """Fit the comparator on the same training posts."""
    y = np.array(context.taxonomy.encode(train["label"]))
    return TfidfBaseline.fit(train["text"].tolist(), y, len(context.taxonomy.names), context.config.seed)


def _require_same_splits(context: RunContext) -> None:
    """Refuse teachers that were trained on other splits: they may have read this run's calibration or test posts."""
    validate_teachers(context.config)
    expected = compute_fingerprints(context.config)["prepare"]
    for folder in context.config.objective.teachers:
        teacher = RunFolder(folder.parent)
        record = teacher.read_record()
        is_trained = folder == teacher.model and record is not None and {"prepare", "train"} <= set(record.stages)
        if record is None or not is_trained or record.stages["prepare"].fingerprint != expected:
            message = (
                f"objective.teachers: {folder} is not the folder model/ of a run that was trained on the same posts, "
                "splits and seed as this one, so it may have read the posts that recall is promised and measured on; "
                "train teachers with the same config and --set training.seed=N --set name=OTHER"
            )
            raise ConfigError(message)


def _require_unseen_splits(context: RunContext) -> None:
    """Refuse rated sentences that are posts to choose the epoch, promise recall or measure it on."""
    rated = load_pretraining_ratings(context.config)
    if rated is None:
        return
    held_out = [split for split in SPLITS if split != "train"]
    counts = {split: count_rated(rated, load_split(context.folder.split(split))["text"]) for split in held_out}
    if any(counts.values()):
        listed = ", ".join(f"{n} of {split}" for split, n in counts.items() if n)
        message = (
            f"pretraining.path: posts that training must not learn from stand among the rated sentences ({listed}); "
            "remove them from the rated sentences"
        )
        raise ConfigError(message)


def _discard_stale_checkpoints(context: RunContext) -> None:
    """Remove checkpoints of a training with other settings; they must not be resumed."""
    checkpoints = context.folder.checkpoints
    fingerprint = compute_fingerprints(context.config)["train"]
    marker = checkpoints / "fingerprint"
    if checkpoints.exists() and (not marker.is_file() or marker.read_text(encoding="utf-8") != fingerprint):
        shutil.rmtree(checkpoints)
    checkpoints.mkdir(parents=True, exist_ok=True)
    marker.write_text(fingerprint, encoding="utf-8")
