"""Operating points of risk targets: alone, for several targets or recalls at once, in groups, by author.

Notes
-----
*Several promises* (targets, recalls) share the confidence by the union bound: each of m is made at
``1 - (1 - confidence_level) / m``, so all hold at once with ``confidence_level`` and one may be picked afterwards.

*Groups* need no such share. Recall falls as the threshold rises, so one threshold keeps the promise in every group if
and only if it keeps it in the hardest one, whose highest good threshold is the lowest. Which group that is nobody
knows, but it does not matter: the minimum over all groups is at most the hardest group's own order statistic, and that
one alone lies too high with probability at most ``1 - confidence_level``. So the minimum keeps all promises at once.
This needs the covered groups to be fixed beforehand. Were a rare, hard group left out whenever no calibration post is
in it, the calibrations that are not refused would be those that happened to miss it, and all posts together could fall
below target in every one of them: hence groups known from other splits are refused, not left out.

*Authors*: the drawn posts, one of each author, are independent and alike if authors are, however much one author's
posts resemble each other; the order statistic is then exact for a random positive post of a random author.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from screening.config import CalibrationConfig
from screening.exceptions import RecallNotReachableError
from screening.metrics.validation import BoolArray, FloatArray, validate_binary, validate_scores
from screening.taxonomy import RiskTarget
from screening.thresholds.assumptions import list_assumptions
from screening.thresholds.operating_point import GroupPromise, OperatingPoint, share_confidence
from screening.thresholds.recall_control import (
    ThresholdSelection,
    compute_required_positives,
    select_order_statistic,
)
from screening.thresholds.scope import PromiseScope
from screening.thresholds.score_tolerance import lower_threshold
from screening.types import Record

_ALL_POSTS = ("", "")
MAX_LISTED = 20  # groups named in a refusal


class FittedPoints(Record):
    """Operating points at the target recall, and alternatives at other recalls, one of each per risk target."""

    operating_points: tuple[OperatingPoint, ...]
    alternatives: tuple[OperatingPoint, ...] = ()


def fit_operating_points(
    targets: Sequence[RiskTarget],
    risks: Mapping[str, FloatArray],
    labels: npt.ArrayLike,
    config: CalibrationConfig,
    *,
    scope: PromiseScope | None = None,
    score_tolerance: float = 0.0,
) -> FittedPoints:
    """Fit everything a configuration promises from one calibration set.

    Parameters
    ----------
    targets : sequence of RiskTarget
    risks : mapping of str to ndarray of float, shape (n_posts,)
        Risk scores by target name.
    labels : array-like of str, shape (n_posts,)
        Label names of the calibration posts.
    config : CalibrationConfig
    scope, score_tolerance
        See :func:`fit_operating_point`.

    Raises
    ------
    RecallNotReachableError
        If any promise has too few positives; every one that fails is named.
    """
    recalls = (config.target_recall, *config.other_recalls)
    n_promises = len(recalls) * (len(targets) if config.is_family_wise else 1)
    points: list[OperatingPoint] = []
    refusals: list[str] = []
    for recall in recalls:
        for target in targets:
            try:
                point = fit_operating_point(
                    target,
                    risks[target.name],
                    np.isin(np.asarray(labels, dtype=object), target.labels),
                    target_recall=recall,
                    confidence_level=config.confidence_level,
                    n_promises=n_promises,
                    scope=scope,
                    score_tolerance=score_tolerance,
                )
                points.append(point)
            except RecallNotReachableError as error:
                refusals.append(str(error))
    if refusals:
        raise RecallNotReachableError("\n".join(refusals))
    return FittedPoints(operating_points=tuple(points[: len(targets)]), alternatives=tuple(points[len(targets) :]))


def fit_operating_point(  # a promise has this many parts
    target: RiskTarget,
    y_score: FloatArray,
    y_true: npt.ArrayLike,
    *,
    target_recall: float,
    confidence_level: float,
    n_promises: int = 1,
    scope: PromiseScope | None = None,
    score_tolerance: float = 0.0,
) -> OperatingPoint:
    """Fit the operating point of one risk target.

    Parameters
    ----------
    target : RiskTarget
    y_score : ndarray of float32 or float64, shape (n_posts,)
        Finite scores of calibration posts that neither trained nor selected the model.
    y_true : array-like of bool or 0/1, shape (n_posts,)
        Whether a post is positive.
    target_recall, confidence_level : float
        Both in (0, 1).
    n_promises : int
        Promises that share the confidence, this one included; 1 makes the promise for this target alone.
    scope : PromiseScope, optional
        Whether authors are drawn instead of posts, and the groups the promise covers too.
    score_tolerance : float
        How far the log-odds of a post's score may move between two calls
        (:func:`~screening.thresholds.score_tolerance.lower_threshold`). The threshold is lowered by it, so that a post
        is not missed for the company it was scored in; a lower threshold can only raise recall.

    Raises
    ------
    RecallNotReachableError
        If there are too few positives; the message names the target, and every group with too few.
    ValueError
        If scores or labels have the wrong type, shape or values, or a tolerance meets scores outside [0, 1].
    """
    scores = validate_scores(y_score)
    positive = validate_binary(y_true, scores.size)
    covered = scope or PromiseScope()
    confidence = share_confidence(confidence_level, n_promises)
    selections, counts = _select_parts(scores, positive, covered, target_recall, confidence)
    if len(selections) < len(counts):
        needed = compute_required_positives(target_recall, confidence)
        refused = _describe_refusal(counts, needed, scores.size, covered.unit)
        shared = f" (shared by {n_promises} promises)" if n_promises > 1 else ""
        message = (
            f"risk target {target.name!r} ({', '.join(target.labels)}): recall {target_recall} at confidence "
            f"{confidence_level}{shared} needs {refused}"
        )
        raise RecallNotReachableError(message)
    whole = selections[_ALL_POSTS]
    lowest = min(selection.threshold for selection in selections.values())
    return OperatingPoint(
        name=target.name,
        labels=target.labels,
        triage=target.triage,
        target_recall=target_recall,
        confidence_level=confidence_level,
        threshold=lower_threshold(lowest, score_tolerance),
        n_samples=whole.n_samples,
        n_positive=whole.n_positive,
        n_allowed_misses=whole.n_allowed_misses,
        recall_lower_bound=whole.recall_lower_bound,
        confidence_achieved=min(selection.confidence_achieved for selection in selections.values()),
        unit=covered.unit,
        n_promises=n_promises,
        groups=_list_groups(selections),
        assumptions=list_assumptions(unit=covered.unit, n_promises=n_promises, group_columns=tuple(covered.groups)),
    )


def _select_parts(
    scores: FloatArray, positive: BoolArray, scope: PromiseScope, target_recall: float, confidence: float
) -> tuple[dict[tuple[str, str], ThresholdSelection], dict[tuple[str, str], int]]:
    """Select a threshold for all posts and for each group; also count the positives drawn in each."""
    parts = {_ALL_POSTS: positive}
    parts |= {(column, group): positive & members for column, group, members in scope.iterate_groups()}
    selections, counts = {}, {}
    for part, candidates in parts.items():
        drawn = scores[scope.draw(candidates)]
        counts[part] = int(drawn.size)
        found = select_order_statistic(drawn, scores.size, target_recall=target_recall, confidence_level=confidence)
        if found is not None:
            selections[part] = found
    return selections, counts


def _list_groups(selections: Mapping[tuple[str, str], ThresholdSelection]) -> tuple[GroupPromise, ...]:
    return tuple(
        GroupPromise(column=part[0], group=part[1], **selection.model_dump(exclude={"threshold", "n_samples"}))
        for part, selection in selections.items()
        if part != _ALL_POSTS
    )


def _describe_refusal(counts: Mapping[tuple[str, str], int], needed: int, n_samples: int, unit: str) -> str:
    """Say how many positives were needed and found, in all posts or in every group that has too few."""
    units = "positive calibration posts" if unit == "post" else "authors with a positive calibration post"
    n_found = counts[_ALL_POSTS]
    advice = "or choose a lower target or confidence yourself"
    if n_found < needed:
        missing = f"label {needed - n_found} more that go there"
        return f"at least {needed} {units}, found {n_found} among {n_samples}; {missing}, {advice}"
    short = [f"{column}={group} ({n})" for (column, group), n in counts.items() if n < needed]
    shown = ", ".join(short[:MAX_LISTED]) + (", …" if len(short) > MAX_LISTED else "")
    return (
        f"at least {needed} {units} in each group; too few (found) in {len(short)} of {len(counts) - 1}: "
        f"{shown}; label more there, merge groups, {advice}"
    )
