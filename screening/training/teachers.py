"""What trained classifiers say about the training posts, for a student to learn from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from screening.config import RunConfig
from screening.exceptions import ConfigError
from screening.inference.forward import compute_logits
from screening.models.classifier import load_classifier
from screening.objectives import resolve_preset

_TERM = "distillation"


def add_teachers(dataset: Any, texts: Sequence[str], config: RunConfig, labels: Sequence[str], precision: str) -> Any:
    """Give training posts a column of the teachers' mean probabilities, if the objective learns from teachers.

    Parameters
    ----------
    dataset : datasets.Dataset
        Tokenised training posts.
    texts : sequence of str
        The same posts.
    config : RunConfig
    labels : sequence of str
        Classes in logit order; the teachers' must be the same.
    precision : {"fp32", "bf16"}

    Returns
    -------
    datasets.Dataset

    Raises
    ------
    ConfigError
        If the objective needs teachers and none are named, or the other way round, or one is no classifier of these
        classes.
    """
    if not validate_teachers(config):
        return dataset
    read = [_read_posts(folder, texts, labels, precision) for folder in config.objective.teachers]
    return dataset.add_column("teacher_probabilities", np.mean(read, axis=0).tolist())


def validate_teachers(config: RunConfig) -> bool:
    """Tell whether an objective learns from teachers; refuse one without teachers, and teachers without one."""
    weight = resolve_preset(config.objective).weights.get(_TERM)
    teachers = config.objective.teachers
    if bool(weight) != bool(teachers):
        found = f"{len(teachers)} teachers and weight {weight or 0} of {_TERM}"
        message = (
            f"expected objective.teachers and a weight of {_TERM} together, found {found}; "
            "set objective.teachers=[RUN/model, ...] and objective.preset=distillation, or neither"
        )
        raise ConfigError(message)
    return bool(teachers)


def _read_posts(folder: Path, texts: Sequence[str], labels: Sequence[str], precision: str) -> NDArray[np.float32]:
    """Compute one teacher's probabilities, shape (n_posts, n_classes)."""
    teacher, tokenizer = _load_teacher(folder)
    found = [teacher.config.id2label[i] for i in sorted(teacher.config.id2label)]
    if found != list(labels):
        message = f"objective.teachers: {folder} tells {', '.join(found)} apart, expected {', '.join(labels)}"
        raise ConfigError(message)
    logits = compute_logits(
        teacher, tokenizer, texts, precision=precision, max_tokens=teacher.config.max_tokens, long_posts="cut"
    ).logits
    return np.asarray(softmax(logits, axis=1), dtype=np.float32)


def _load_teacher(folder: Path) -> tuple[Any, Any]:
    try:
        if not folder.is_dir():  # or the name would be looked for on the hub
            raise FileNotFoundError(folder)
        return load_classifier(folder)
    except (OSError, ValueError) as error:
        message = f"objective.teachers: {folder} holds no trained classifier; expected the folder model/ of a run"
        raise ConfigError(message) from error
