"""An operating point: one score threshold, the recall it promises, and what the promise rests on."""

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat, model_validator

from screening.metrics.validation import FloatArray, validate_scores
from screening.types import Record, Split

ASSUMPTIONS: tuple[str, ...] = (
    "The positives it meets are exchangeable with the positives among the calibration posts.",
    "It survives a change of prevalence (recall does not depend on it), "
    "but not a change of what positive posts look like.",
    "Model, temperature and preprocessing were fixed before the calibration posts were scored, and stay as they are.",
    "Calibration posts are independent of each other; several posts of one author make the promise too optimistic.",
    "A positive is a post with one of these labels, as the data source labels it (not a clinical finding).",
)


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
        A calibration post's score, kept exactly (JSON keeps every bit); in the unit of the score.
    method : str
        ``order_statistic``, the only rule so far.
    n_samples, n_positive : int
        Calibration posts, and positives among them.
    n_allowed_misses : int
        Order-statistic rank ``k``: at most this many calibration positives lie strictly below the threshold.
    recall_lower_bound : float
        Exact one-sided lower bound on recall at ``confidence_level``; never below ``target_recall``.
    confidence_achieved : float
        Exact probability that the promise holds for continuous scores (ties raise it); ``>= confidence_level``.
    split : str
        Split the threshold was chosen on.
    assumptions : tuple of str
        What the promise rests on, in sentences; printed next to the number.

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

    @model_validator(mode="after")
    def _validate_promise(self) -> Self:
        if not self.n_allowed_misses < self.n_positive <= self.n_samples:
            message = (
                f"expected n_allowed_misses < n_positive <= n_samples, found {self.n_allowed_misses}, "
                f"{self.n_positive}, {self.n_samples}"
            )
            raise ValueError(message)
        if self.confidence_achieved < self.confidence_level or self.recall_lower_bound < self.target_recall:
            message = (
                f"the promise is not kept: confidence {self.confidence_achieved} for {self.confidence_level}, "
                f"recall bound {self.recall_lower_bound} for {self.target_recall}; calibrate again"
            )
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        return (
            f"{self.name}: flag for {self.triage} at score >= {self.threshold:.6g}; "
            f"recall >= {self.target_recall:.6g} with confidence {self.confidence_achieved:.4f} "
            f"({self.n_positive} positives in {self.n_samples} calibration posts)"
        )

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
