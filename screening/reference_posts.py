"""Made posts whose scores a bundle remembers, so that a machine or package that computes otherwise is noticed."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from screening.calibration.temperature import TemperatureScaling
from screening.taxonomy import RiskTarget, Taxonomy

_SENTENCES = (
    "I have not slept for days and nothing helps any more.",
    "Does anyone know a good recipe for apple pie?",
    "MY HEART RACES before every meeting!!! 😰 what do you do?",
    "Mañana empiezo de nuevo, después de todo.",
    "they changed my dose from 50 to 75 mg, now I'm up and down all week",
    "Thank you all for listening last night, it meant a lot.",
)
REFERENCE_POSTS = (*_SENTENCES, "tired", " ".join(_SENTENCES * 12))
"""Written for this purpose; the last is longer than most windows."""


def measure_distance(
    logits: ArrayLike, reference_logits: ArrayLike, temperature: TemperatureScaling, taxonomy: Taxonomy
) -> float:
    """Measure how far two sets of logits lie apart, as the largest difference in the log-odds of a risk score.

    That is the unit of :func:`~screening.inference.precision.compute_score_tolerance`, by which thresholds are lowered:
    scores that have moved by no more lose no post that was flagged when calibrating.

    Parameters
    ----------
    logits, reference_logits : array-like, shape (n_posts, n_classes)

    Returns
    -------
    float
        Infinite where the shapes differ.
    """
    scale = temperature.temperature
    first, second = (np.asarray(values, dtype=np.float64) / scale for values in (logits, reference_logits))
    if first.shape != second.shape:
        return float("inf")
    differences = [
        _compute_log_odds(first, target, taxonomy) - _compute_log_odds(second, target, taxonomy)
        for target in taxonomy.targets
    ]
    return float(np.abs(differences).max())


def _compute_log_odds(scaled: NDArray[np.float64], target: RiskTarget, taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Compute log-odds of shape (n_posts,); 0 for a target of all labels, which scores 1 whatever the logits."""
    inside = np.isin(np.arange(scaled.shape[1]), taxonomy.target_indices(target))
    if inside.all():
        return np.zeros(len(scaled))
    log_odds: NDArray[np.float64] = np.logaddexp.reduce(scaled[:, inside], axis=1) - np.logaddexp.reduce(
        scaled[:, ~inside], axis=1
    )
    return log_odds
