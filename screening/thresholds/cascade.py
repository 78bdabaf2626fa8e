"""A cheap first stage in front of the encoder: which posts it clears, and why the recall promise covers both stages.

Notes
-----
The first stage clears a post whose gate score lies below a gate threshold; the encoder reads the others. The *combined
score* of a post is the encoder's risk score if it was read, and 0 if it was cleared. A post is flagged if its combined
score reaches the threshold of its target, which is above 0: a post is missed if either stage misses it.

Gate and gate threshold are fixed before a calibration post is looked at (both come from training and validation
posts). So the combined score is a fixed function of a post's text, like any other score, and the order-statistic
threshold of the combined scores keeps its promise exactly
(:mod:`screening.thresholds.recall_control`; the ties at 0 only make it safer). There is one threshold chosen on
calibration posts and one promise, so nothing has to be shared: what the first stage loses is counted among the allowed
misses. Calibrating the encoder alone and putting a first stage in front of it afterwards would lose those posts unseen.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, FiniteFloat

from screening.exceptions import RecallNotReachableError, SchemaError
from screening.metrics.validation import BoolArray, FloatArray, validate_binary, validate_scores
from screening.taxonomy import RiskTarget
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.promises import describe_second_try
from screening.types import Record

CLEARED_SCORE = 0.0  # no encoder score is below it, and every threshold must lie above it
GATE_TOLERANCE = 1e-9  # log-odds; the last bits of a logarithm differ between processors


class TargetLoss(Record):
    """How many posts of one risk target a gate threshold clears, of how many, on one split."""

    name: str
    n_positive: int = Field(ge=0)
    n_cleared: int = Field(ge=0)


class GateThreshold(Record):
    """From which gate score the encoder reads a post, and what that clears of the posts it was chosen on.

    ``losses`` counts training and validation posts, each scored by a gate that was fitted without it.
    A post is read if and only if its gate score is **at or above** ``threshold``.
    """

    threshold: FiniteFloat
    max_lost_fraction: float = Field(ge=0, lt=1)
    losses: tuple[TargetLoss, ...] = Field(min_length=1)

    def read(self, gate_scores: FloatArray) -> BoolArray:
        """Decide which posts the encoder reads, shape (n_posts,)."""
        is_read: BoolArray = validate_scores(gate_scores) >= self.threshold
        return is_read

    def __str__(self) -> str:
        lost = ", ".join(f"{loss.n_cleared} of {loss.n_positive} {loss.name}" for loss in self.losses)
        return (
            f"first stage: the encoder reads posts at gate score >= {self.threshold:.4g}; clears of training and "
            f"validation posts, each held out: {lost}"
        )


def choose_gate_threshold(
    gate_scores: FloatArray,
    labels: npt.ArrayLike,
    targets: Sequence[RiskTarget],
    *,
    max_lost_fraction: float,
    highest: float,
) -> GateThreshold:
    """Choose the highest gate threshold that clears few posts of every risk target.

    Parameters
    ----------
    gate_scores : ndarray of float, shape (n_posts,)
        Finite gate scores of training and validation posts, each by a gate that was fitted without it.
    labels : array-like of str, shape (n_posts,)
    targets : sequence of RiskTarget
    max_lost_fraction : float
        In [0, 1): of ``n`` posts of a target, at most ``floor(n * max_lost_fraction)`` may be cleared.
    highest : float
        The threshold is never above it: the score of a post that the gate knows nothing about, so that such a post is
        always read.

    Raises
    ------
    SchemaError
        If a target has no post.

    Notes
    -----
    Per target, the threshold is the score of its post of rank ``floor(n * max_lost_fraction)``, from 0; the lowest of
    them counts. It promises nothing: how many posts it loses is unknown beyond these, and the calibration split decides
    (module notes).

    Examples
    --------
    >>> target = RiskTarget(name="risk", labels=("a",), triage="review", description="")
    >>> scores = np.arange(200) / 100 - 1
    >>> chosen = choose_gate_threshold(scores, ["a"] * 200, [target], max_lost_fraction=0.01, highest=0.0)
    >>> round(chosen.threshold, 4), chosen.losses[0].n_cleared
    (-0.98, 2)
    """
    scores, names = validate_scores(gate_scores), np.asarray(labels, dtype=object)
    candidates = [highest]
    for target in targets:
        positives = np.sort(scores[np.isin(names, target.labels)])
        if not positives.size:
            message = (
                f"the first stage's threshold needs training or validation posts of every target, found none of "
                f"{target.name}; give some, or set cascade.is_on to false"
            )
            raise SchemaError(message)
        candidates.append(float(positives[int(positives.size * max_lost_fraction)]))
    threshold = min(candidates) - GATE_TOLERANCE
    losses = count_losses(scores >= threshold, names, targets)
    return GateThreshold(threshold=threshold, max_lost_fraction=max_lost_fraction, losses=losses)


def compute_cascade_curve(
    gate_scores: FloatArray, labels: npt.ArrayLike, harmless_scores: FloatArray, targets: Sequence[RiskTarget]
) -> pd.DataFrame:
    """Compute what every gate threshold would lose of held-out posts and spare of harmless ones.

    Parameters
    ----------
    gate_scores, labels : arrays of shape (n_posts,)
        Of held-out posts, as in :func:`choose_gate_threshold`.
    harmless_scores : ndarray of float, shape (n_harmless,)
        Gate scores of posts from outside the task that the gate was not fitted on; at least one.
    targets : sequence of RiskTarget

    Returns
    -------
    DataFrame
        One row per threshold at which one more positive of any target is lost: ``threshold``,
        ``lost_<target>`` (share of its posts below the threshold; NaN without any) and ``cleared`` (share
        of harmless posts). All rise from row to row; the last row clears every positive but the highest.
    """
    scores, names = validate_scores(gate_scores), np.asarray(labels, dtype=object)
    is_positive = {target.name: np.isin(names, target.labels) for target in targets}
    thresholds = np.unique(scores[np.logical_or.reduce(list(is_positive.values()))])
    harmless = np.sort(validate_scores(harmless_scores))
    columns = {"threshold": thresholds}
    for name, positive in is_positive.items():
        ranks = np.searchsorted(np.sort(scores[positive]), thresholds)
        columns[f"lost_{name}"] = ranks / positive.sum() if positive.any() else np.full(len(thresholds), np.nan)
    columns["cleared"] = np.searchsorted(harmless, thresholds) / len(harmless)
    return pd.DataFrame(columns)


def count_losses(is_read: BoolArray, labels: npt.ArrayLike, targets: Sequence[RiskTarget]) -> tuple[TargetLoss, ...]:
    """Count the posts of each target that the first stage clears."""
    names = np.asarray(labels, dtype=object)
    positives = {target.name: np.isin(names, target.labels) for target in targets}
    return tuple(
        TargetLoss(name=name, n_positive=int(positive.sum()), n_cleared=int((positive & ~is_read).sum()))
        for name, positive in positives.items()
    )


def combine_risks(risks: Mapping[str, FloatArray], is_read: BoolArray) -> dict[str, FloatArray]:
    """Combine both stages: the encoder's risk score of a post that was read, 0 of a cleared one.

    Parameters
    ----------
    risks : mapping of str to ndarray of float, shape (n_posts,)
        Encoder scores in [0, 1] by target; those of cleared posts are not looked at and may be NaN.
    is_read : ndarray of bool, shape (n_posts,)

    Examples
    --------
    >>> combine_risks({"any": np.array([0.4, np.nan])}, np.array([True, False]))["any"].tolist()
    [0.4, 0.0]
    """
    read = validate_binary(is_read, len(is_read))
    return {name: np.where(read, scores, CLEARED_SCORE) for name, scores in risks.items()}


def require_read_posts(points: Sequence[OperatingPoint], losses: Sequence[TargetLoss]) -> None:
    """Refuse operating points that would have to flag posts nobody read.

    Parameters
    ----------
    points : sequence of OperatingPoint
        Fitted on combined scores.
    losses : sequence of TargetLoss
        What the first stage clears of the calibration posts.

    Raises
    ------
    RecallNotReachableError
        If a threshold is 0: the first stage alone clears more posts of the target than may be missed.
    """
    loss_by_name = {loss.name: loss for loss in losses}
    lines = []
    for point in points:
        if point.threshold > CLEARED_SCORE:
            continue
        loss = loss_by_name[point.name]
        groups = f", or too many in a group of {', '.join(point.group_columns)}" if point.groups else ""
        lines.append(
            f"risk target {point.name!r}: the first stage clears {loss.n_cleared} of {loss.n_positive} positive "
            f"calibration posts{groups}; recall {point.target_recall:.6g} at confidence {point.confidence_level:.6g} "
            f"allows both stages together to miss {point.n_allowed_misses} of {point.n_positive}"
        )
    if lines:
        lines.append(
            "a lower cascade.max_lost_fraction (chosen from training and validation posts) or cascade.is_on false is "
            "another try"
        )
        lines.append(describe_second_try(points[0].confidence_level))
        raise RecallNotReachableError("\n".join(lines))
