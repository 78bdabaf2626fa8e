"""An operating point: one score threshold, the recall it promises, and what the promise rests on."""

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat, model_validator

from screening.metrics.validation import FloatArray, validate_scores
from screening.thresholds.assumptions import ASSUMPTIONS
from screening.types import Record, Split


class GroupPromise(Record):
    """The same promise inside one group of posts; fields mean what they mean in :class:`OperatingPoint`."""

    column: str = Field(min_length=1)
    group: str
    n_positive: int = Field(ge=1)
    n_allowed_misses: int = Field(ge=0)
    recall_lower_bound: float = Field(ge=0, le=1)
    confidence_achieved: float = Field(ge=0, le=1)


def share_confidence(confidence_level: float, n_promises: int) -> float:
    """Compute the confidence each of several promises needs for all to hold at once (union bound, Bonferroni).

    Returns
    -------
    float
        ``1 - (1 - confidence_level) / n_promises``.

    Notes
    -----
    P(any of m promises breaks) is at most the sum of m probabilities, whatever the dependence between them.

    Examples
    --------
    >>> share_confidence(0.95, 1), round(share_confidence(0.95, 5), 4)
    (0.95, 0.99)
    """
    return confidence_level if n_promises == 1 else 1 - (1 - confidence_level) / n_promises


class OperatingPoint(Record):
    """A threshold that flags posts for review, with its recall promise (decision rule, operating threshold).

    A post is flagged if and only if its score is **at or above** ``threshold``. Over repeated draws of calibration
    posts, the true recall is below ``target_recall`` in at most a fraction ``1 - confidence_level`` of the draws.

    Attributes
    ----------
    name, labels, triage
        The risk target: its name, the labels that count as positive, and the level a flag leads to.
    target_recall, confidence_level : float
        What was asked for, both in (0, 1).
    threshold : float
        A calibration post's score, less the score tolerance if there is one (JSON keeps every bit).
    method : str
        ``order_statistic``, the only rule so far.
    n_samples, n_positive : int
        Calibration posts, and positives among them (authors with a positive post if ``unit`` is ``author``).
    n_allowed_misses : int
        Order-statistic rank ``k``: at most this many calibration positives lie strictly below the threshold.
    recall_lower_bound : float
        Exact one-sided lower bound on recall at ``confidence_each``; never below ``target_recall``.
    confidence_achieved : float
        Exact probability that this promise holds for continuous scores (ties raise it); ``>= confidence_each``. With
        groups, a lower bound on the probability that it holds in all posts and in every group at once.
    split : str
        Split the threshold was chosen on.
    assumptions : tuple of str
        What the promise rests on, in sentences; printed next to the number.
    unit : str
        ``post``, or ``author``: the promise is about a random positive post of a random author.
    n_promises : int
        Promises that share ``confidence_level``; all of them hold at once with it.
    groups : tuple of GroupPromise
        Groups in which the recall is promised as well, with the same threshold.

    Examples
    --------
    >>> point = OperatingPoint(name="any", labels=("a",), triage="review", target_recall=0.95, confidence_level=0.95,
    ...     threshold=0.25, n_samples=200, n_positive=59, n_allowed_misses=0, recall_lower_bound=0.9505,
    ...     confidence_achieved=0.9515)
    >>> point.flag(np.array([0.1, 0.25, 0.9])).tolist()
    [False, True, True]
    >>> print(point)
    any: flag for review at score >= 0.25; recall >= 0.95 with confidence 0.9515 (59 positives in 200 calibration posts)
    """

    name: str = Field(min_length=1)
    labels: tuple[str, ...] = Field(min_length=1)
    triage: Literal["refer", "review"]
    target_recall: float = Field(gt=0, lt=1)
    confidence_level: float = Field(gt=0, lt=1)
    threshold: FiniteFloat
    method: Literal["order_statistic"] = "order_statistic"
    n_samples: int = Field(ge=1)
    n_positive: int = Field(ge=1)
    n_allowed_misses: int = Field(ge=0)
    recall_lower_bound: float = Field(ge=0, le=1)
    confidence_achieved: float = Field(ge=0, le=1)
    split: Split = "calibration"
    assumptions: tuple[str, ...] = Field(ASSUMPTIONS, min_length=1)
    unit: Literal["post", "author"] = "post"
    n_promises: int = Field(1, ge=1)
    groups: tuple[GroupPromise, ...] = ()

    @property
    def confidence_each(self) -> float:
        """Confidence this promise is made at, so that all that share ``confidence_level`` hold at once with it."""
        return share_confidence(self.confidence_level, self.n_promises)

    @property
    def group_columns(self) -> tuple[str, ...]:
        """Columns whose groups the promise covers."""
        return tuple(dict.fromkeys(group.column for group in self.groups))

    @model_validator(mode="after")
    def _validate_promise(self) -> Self:
        if not self.n_allowed_misses < self.n_positive <= self.n_samples:
            message = (
                f"expected n_allowed_misses < n_positive <= n_samples, found {self.n_allowed_misses}, "
                f"{self.n_positive}, {self.n_samples}"
            )
            raise ValueError(message)
        kept = min((self.confidence_achieved, *(group.confidence_achieved for group in self.groups)))
        bound = min((self.recall_lower_bound, *(group.recall_lower_bound for group in self.groups)))
        if kept < self.confidence_each or bound < self.target_recall:
            message = (
                f"the promise is not kept: confidence {kept} for {self.confidence_each}, "
                f"recall bound {bound} for {self.target_recall}; calibrate again"
            )
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        whose, counted = "", f"{self.n_positive} positives"
        if self.unit == "author":
            whose = " for a random positive post of a random author"
            counted = f"{self.n_positive} authors with a positive post, one drawn of each,"
        words = (
            f"{self.name}: flag for {self.triage} at score >= {self.threshold:.6g}; "
            f"recall >= {self.target_recall:.6g}{whose} with confidence {self.confidence_achieved:.4f} "
            f"({counted} in {self.n_samples} calibration posts)"
        )
        if self.groups:
            words += f"; also in each of {len(self.groups)} groups of {', '.join(self.group_columns)}"
        if self.n_promises > 1:
            words += f"; {self.n_promises} promises hold at once with confidence {self.confidence_level:.6g}"
        return words

    def flag(self, y_score: FloatArray) -> npt.NDArray[np.bool_]:
        """Decide which posts are flagged: score at or above the threshold.

        The comparison runs in the precision of ``y_score``. Rounding never reverses an order, so single-precision
        scores of a threshold chosen in double precision flag every post double precision would flag.

        Parameters
        ----------
        y_score : ndarray of float32 or float64, shape (n_posts,)
            Finite scores, higher meaning more like the positives.

        Returns
        -------
        ndarray of bool, shape (n_posts,)
            Empty for no posts.

        Raises
        ------
        ValueError
            If scores are not floats, not one-dimensional, or not finite (a NaN would drop a post without a word).
        """
        scores = validate_scores(y_score)
        flags: npt.NDArray[np.bool_] = scores >= np.asarray(self.threshold, dtype=scores.dtype)
        return flags
