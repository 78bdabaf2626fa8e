"""What another threshold would mean: alerts, queue length, and which recall promises would still hold."""

from bisect import bisect_left

import numpy as np
import numpy.typing as npt
from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services.access import authorize
from apps.review.services.context import ReviewContext
from apps.review.services.decisions import JUDGEMENT_KINDS
from apps.review.services.promises import load_promises
from apps.review.store.models import Event, LeftOut, Post, QueueItem
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record

STEPS = tuple(round(0.005 * i, 3) for i in range(201))


class Promise(Record):
    """A calibrated threshold with its recall promise, as :class:`OperatingPoint` explains it."""

    name: str
    threshold: float
    target_recall: float
    confidence_level: float
    confidence_achieved: float
    recall_lower_bound: float
    n_positive: int
    n_samples: int
    split: str
    sentence: str


class ThresholdNumbers(Record):
    """One threshold: ``promise`` only at a calibrated point; ``holds`` are the calibrated points at or above it.

    Their promises hold here too, because a lower threshold can only raise recall; above them no promise is left.
    """

    target: str
    threshold: float
    n_scored: int
    n_alerts: int
    alerts_per_1000: float | None
    n_waiting: int
    promise: Promise | None
    holds: tuple[Promise, ...]


class ThresholdCurve(Record):
    """Counts at every threshold of one risk target: load once, slide without asking the database again.

    ``n_alerts`` of the ``n_scored`` posts of all imports (left-out ones too) score at or above the threshold;
    ``n_waiting`` of these have no settled decision.
    """

    target: str
    thresholds: tuple[float, ...]
    n_alerts: tuple[int, ...]
    n_waiting: tuple[int, ...]
    n_scored: int
    promises: tuple[Promise, ...]

    def at(self, threshold: float) -> ThresholdNumbers:
        """Tell the numbers at the nearest threshold of the curve at or below the one asked for."""
        place = bisect_left(self.thresholds, threshold)
        if place == len(self.thresholds) or self.thresholds[place] > threshold:
            place = max(0, place - 1)
        found = self.thresholds[place]
        return ThresholdNumbers(
            target=self.target,
            threshold=found,
            n_scored=self.n_scored,
            n_alerts=self.n_alerts[place],
            alerts_per_1000=1_000 * self.n_alerts[place] / self.n_scored if self.n_scored else None,
            n_waiting=self.n_waiting[place],
            promise=next((promise for promise in self.promises if promise.threshold == found), None),
            holds=tuple(promise for promise in self.promises if promise.threshold >= found),
        )


def load_thresholds(context: ReviewContext, actor: SignedIn) -> tuple[ThresholdCurve, ...]:
    """Load one curve per risk target, most urgent target first where promises tell the order.

    Reads every imported score: about a second per target at a million posts.
    """
    with context.store.read() as session:
        authorize(context, session, actor, "see_thresholds")
        points = load_promises(session)
        return tuple(_build_curve(session, target, points) for target in _list_targets(session, points))


def _list_targets(session: Session, points: tuple[OperatingPoint, ...]) -> list[str]:
    scores = session.scalar(select(Post.scores).limit(1)) or {}
    risks = session.scalar(select(LeftOut.risks).limit(1)) or {}
    named = [name.removeprefix("risk_") for name in scores if name.startswith("risk_")]
    return list(dict.fromkeys([*(point.name for point in points), *named, *risks]))


def _build_curve(session: Session, target: str, points: tuple[OperatingPoint, ...]) -> ThresholdCurve:
    promises = tuple(sorted((_to_promise(point) for point in points if point.name == target), key=_by_threshold))
    thresholds = sorted({*STEPS, *(promise.threshold for promise in promises)})
    column = Post.scores[f"risk_{target}"].as_float()
    # Judged posts first: an index finds them, while posts missing in the queue would have to be looked for.
    judged = select(Event.post_id).where(Event.kind.in_(JUDGEMENT_KINDS))
    is_settled = Post.post_id.in_(judged) & ~exists().where(QueueItem.post_id == Post.post_id)
    imported = _load_sorted(session, select(column))
    left_out = _load_sorted(session, select(LeftOut.risks[target].as_float()))
    settled = _load_sorted(session, select(column).where(is_settled))
    n_alerts = _count_at_or_above(imported, thresholds) + _count_at_or_above(left_out, thresholds)
    return ThresholdCurve(
        target=target,
        thresholds=tuple(thresholds),
        n_alerts=tuple(n_alerts.tolist()),
        n_waiting=tuple((n_alerts - _count_at_or_above(settled, thresholds)).tolist()),
        n_scored=len(imported) + len(left_out),
        promises=promises,
    )


def _load_sorted(session: Session, query: Select[tuple[float]]) -> npt.NDArray[np.float64]:
    values = (value for value in session.scalars(query.execution_options(yield_per=10_000)) if value is not None)
    return np.sort(np.fromiter(values, dtype=np.float64))


def _count_at_or_above(ordered: npt.NDArray[np.float64], thresholds: list[float]) -> npt.NDArray[np.int64]:
    return len(ordered) - np.searchsorted(ordered, thresholds, side="left").astype(np.int64)


def _by_threshold(promise: Promise) -> float:
    return promise.threshold


def _to_promise(point: OperatingPoint) -> Promise:
    return Promise(
        name=point.name,
        threshold=point.threshold,
        target_recall=point.target_recall,
        confidence_level=point.confidence_level,
        confidence_achieved=point.confidence_achieved,
        recall_lower_bound=point.recall_lower_bound,
        n_positive=point.n_positive,
        n_samples=point.n_samples,
        split=point.split,
        sentence=str(point),
    )
