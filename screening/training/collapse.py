"""Notice a collapse: a classifier that gives every post the same class, or every post the same representation.

A training whose numbers have become none at all is stopped: no later step makes numbers of them again.
"""

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from screening.exceptions import ConfigError

LARGEST_SHARE = 0.98
"""One class predicted for more of the posts than this is a collapse, unless about as many posts have it."""
SMALLEST_RANK = 1.05
"""Representations of an effective rank below this stand on one line; two classes need no more, three or more do."""
_TENTH = 0.1

logger = logging.getLogger(__name__)


def measure_collapse(pooled: ArrayLike, logits: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    """Measure how far representations and predictions have fallen together.

    Parameters
    ----------
    pooled : array_like of float, shape (n_posts, n_hidden)
    logits : array_like of float, shape (n_posts, n_classes)
    labels : array_like of int, shape (n_posts,)

    Returns
    -------
    dict of str to float
        ``effective_rank`` (1: one line; n_hidden: every direction alike), ``largest_share`` of posts with the same
        predicted class, and ``is_collapsed`` (1 or 0).
    """
    y_true, predictions = np.asarray(labels), np.asarray(logits).argmax(axis=1)
    favourite = np.bincount(predictions).argmax()
    largest_share = float(np.mean(predictions == favourite))
    is_rarer = np.mean(y_true == favourite) < LARGEST_SHARE - _TENTH
    is_one_class = largest_share > LARGEST_SHARE and is_rarer
    measured = measure_rank_collapse(pooled, y_true)
    return {
        "effective_rank": measured["effective_rank"],
        "largest_share": largest_share,
        "is_collapsed": max(measured["is_collapsed"], float(is_one_class)),
    }


def refuse_divergence(*computed: ArrayLike) -> None:
    """Refuse what a model computed if any of it is infinite or not a number.

    Raises
    ------
    ConfigError
        With what to set.
    """
    if not all(np.isfinite(values).all() for values in computed):
        message = (
            "the training has diverged: the model computes no finite numbers for validation posts any more. Lower "
            "training.learning_rate, or training.gradient_clip; in bf16, try training.precision=fp32"
        )
        raise ConfigError(message)


def measure_rank_collapse(pooled: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    """Measure how far representations alone have fallen together, where no class is predicted.

    Parameters
    ----------
    pooled : array_like of float, shape (n_posts, n_hidden)
    labels : array_like of shape (n_posts,) or (n_posts, n_ratings)

    Returns
    -------
    dict of str to float
        ``effective_rank`` and ``is_collapsed``, as :func:`measure_collapse` has them.
    """
    rank = compute_effective_rank(pooled)
    is_one_line = rank < SMALLEST_RANK and len(np.unique(np.asarray(labels), axis=0)) > 2
    return {"effective_rank": rank, "is_collapsed": float(is_one_line)}


def compute_effective_rank(vectors: ArrayLike) -> float:
    """Compute ``exp(−Σ_j q_j log q_j)``, ``q`` the shares of the eigenvalues of ``Σ_i u_i u_iᵀ`` of unit vectors ``u``.

    The mean is left in, so that vectors all alike have rank 1, whatever noise stands around them.

    Notes
    -----
    Roy, Vetterli. The effective rank. EUSIPCO 2007; on squared singular values [ours], which a little noise in many
    directions moves less.

    Examples
    --------
    >>> round(compute_effective_rank([[1, 0], [0, 3]]), 6)
    2.0
    >>> compute_effective_rank([[1, 2], [2, 4], [-1, -2]])
    1.0
    """
    rows: NDArray[np.float64] = np.asarray(vectors, dtype=np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    eigenvalues = np.linalg.eigvalsh(unit.T @ unit if unit.shape[0] > unit.shape[1] else unit @ unit.T)
    shares = np.clip(eigenvalues, 0, None) / max(eigenvalues.sum(), np.finfo(np.float64).tiny)
    shares = shares[shares > 1e-12]  # rounding
    return float(np.exp(-(shares * np.log(shares)).sum()))


def describe_collapse(metrics: dict[str, float]) -> str | None:
    """Say in a sentence what has collapsed, or nothing.

    Parameters
    ----------
    metrics : dict of str to float
        An evaluation's, with the prefix ``eval_``.
    """
    if not metrics.get("eval_is_collapsed"):
        return None
    share = metrics.get("eval_largest_share", 0.0)  # absent from a stage that predicts no class
    is_one_class = share > LARGEST_SHARE
    predictions = f"{share:.1%} of validation posts get the same class, and " if is_one_class else ""
    means = "Such scores tell no posts apart" if is_one_class else "Posts lie on nearly one line there"
    return (
        f"The training has collapsed: {predictions}representations have an effective rank of "
        f"{metrics['eval_effective_rank']:.2f}. {means}. Some trainings recover by themselves; otherwise keep "
        "objective.is_normalised, lower training.learning_rate, or give cross-entropy more weight."
    )


class CollapseGuard(TrainerCallback):
    """Warn after every evaluation that finds a collapse; the training goes on, since some recover."""

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Read the evaluation's measures."""
        sentence = describe_collapse(metrics or {})
        if sentence and state.is_world_process_zero:
            logger.warning("epoch %d: %s", round(state.epoch or 0), sentence)
