"""Recall after deployment, from the decisions on an audit sample: weighted, with an exact finite-population interval.

Notes
-----
``D`` positives were flagged, ``M`` were missed, recall is ``D / (D + M)``. Missed posts of a stratum read in full are
counted; those of a sampled stratum are estimated as ``x N / n`` and bounded by the hypergeometric distribution
(:mod:`screening.audit.finite_population`). Where only a sample of flagged posts was read, ``D`` is bounded the
same way, and the two bounds share the error probability: a fifth for ``D``, the rest for ``M`` (union bound).
"""

from collections.abc import Sequence

from pydantic import Field

from screening.audit.finite_population import compute_lower_total, compute_upper_total
from screening.audit.sampling import Stratum
from screening.metrics.operating import PromiseVerdict, judge_promise
from screening.types import Estimate, Interval, Record

FLAGGED_ERROR_SHARE = 0.2


class ReadStratum(Stratum):
    """A stratum after reading: ``n_positive`` posts read are positive, ``n_missing`` have no clear decision."""

    n_positive: int = Field(ge=0)
    n_missing: int = Field(0, ge=0)


class AuditEstimate(Record):
    """What the audit says about recall.

    Attributes
    ----------
    recall : Estimate
        The value counts a post without a clear decision against the screener. Each end of the interval holds by itself
        with ``confidence_level``, so that the whole interval covers with at least ``2 * confidence_level - 1``; the low
        end takes posts without a decision as worst, the high end as best. ``n_samples`` counts positives read.
    missed : Estimate
        Positives among all unflagged posts, under the same rules; ``n_samples`` counts unflagged posts read.
    target_recall, confidence_level : float
        The promise under audit, and the one-sided confidence of each bound.
    n_missing : int
        Posts of the sample without a clear decision.
    verdict : str
        See :func:`screening.metrics.operating.judge_promise`. A kept promise is contradicted by chance in at most a
        fraction ``1 - confidence_level`` of audits.
    """

    recall: Estimate
    missed: Estimate
    target_recall: float
    confidence_level: float
    n_missing: int
    verdict: PromiseVerdict


def estimate_audited_recall(
    flagged: ReadStratum, unflagged: Sequence[ReadStratum], *, target_recall: float, confidence_level: float
) -> AuditEstimate:
    """Estimate recall from the decisions on flagged posts and on a stratified sample of unflagged ones.

    Parameters
    ----------
    flagged : ReadStratum
        All flagged posts, or a random sample of them.
    unflagged : sequence of ReadStratum
        Together all unflagged posts; at most one of them may be sampled, the others must be read in full.
    target_recall : float
        In (0, 1).
    confidence_level : float
        In (0.5, 1), one-sided.

    Returns
    -------
    AuditEstimate
        Without any positive the recall's value and interval are ``None`` and the verdict is ``unknown``.

    Raises
    ------
    ValueError
        If more than one unflagged stratum is sampled in part, or counts do not fit.

    Examples
    --------
    >>> flagged = ReadStratum(name="flagged", n_posts=2_000, n_sampled=2_000, n_positive=95)
    >>> near = ReadStratum(name="near", n_posts=334, n_sampled=334, n_positive=0)
    >>> far = ReadStratum(name="far", n_posts=7_666, n_sampled=3_013, n_positive=0)
    >>> found = estimate_audited_recall(flagged, [near, far], target_recall=0.95, confidence_level=0.95)
    >>> found.recall.value, round(found.recall.interval.low, 3), found.verdict
    (1.0, 0.95, 'confirmed')
    """
    _validate_reading(flagged, unflagged, target_recall, confidence_level)
    is_complete = flagged.n_sampled == flagged.n_posts
    error = 1 - confidence_level
    flagged_level = 1 - FLAGGED_ERROR_SHARE * error
    missed_level = confidence_level if is_complete else 1 - (1 - FLAGGED_ERROR_SHARE) * error
    missed_low, missed_high = bound_positives(unflagged, missed_level)
    hits_low, hits_high = bound_positives([flagged], flagged_level)
    missed_value = sum(_scale(stratum, stratum.n_positive + stratum.n_missing) for stratum in unflagged)
    value = _divide(_scale(flagged, flagged.n_positive), missed_value)
    level = round(2 * confidence_level - 1, 12)
    interval = Interval(
        low=_divide(hits_low, missed_high) or 0.0,
        high=1.0 if hits_high + missed_low == 0 else hits_high / (hits_high + missed_low),
        confidence_level=level,
    )
    recall = Estimate(
        value=value,
        interval=None if value is None else interval,
        n_samples=flagged.n_positive + sum(stratum.n_positive for stratum in unflagged),
        split="audit",
    )
    missed = Estimate(
        value=missed_value,
        interval=Interval(low=missed_low, high=missed_high, confidence_level=level),
        n_samples=sum(stratum.n_sampled for stratum in unflagged),
        split="audit",
    )
    return AuditEstimate(
        recall=recall,
        missed=missed,
        target_recall=target_recall,
        confidence_level=confidence_level,
        n_missing=flagged.n_missing + sum(stratum.n_missing for stratum in unflagged),
        verdict=judge_promise(recall, target_recall),
    )


def bound_positives(strata: Sequence[ReadStratum], confidence_level: float) -> tuple[int, int]:
    """Bound the positives of all strata together, each end at ``confidence_level``.

    The low end counts posts without a clear decision as negative, the high end as positive.
    """
    low = high = 0
    for stratum in strata:
        sizes = (stratum.n_posts, stratum.n_sampled)
        low += compute_lower_total(*sizes, stratum.n_positive, confidence_level)
        high += compute_upper_total(*sizes, stratum.n_positive + stratum.n_missing, confidence_level)
    return low, high


def _scale(stratum: ReadStratum, n_positive: int) -> float:
    """Weight what was found by the inverse of the inclusion probability; an unread stratum adds nothing."""
    return n_positive * stratum.n_posts / stratum.n_sampled if stratum.n_sampled else 0.0


def _divide(hits: float, missed: float) -> float | None:
    return hits / (hits + missed) if hits + missed > 0 else None


def _validate_reading(
    flagged: ReadStratum, unflagged: Sequence[ReadStratum], target_recall: float, confidence_level: float
) -> None:
    if not (0 < target_recall < 1 and 0.5 < confidence_level < 1):
        message = (
            f"expected target_recall in (0, 1) and confidence_level in (0.5, 1), found {target_recall} and "
            f"{confidence_level}"
        )
        raise ValueError(message)
    partly = [stratum.name for stratum in unflagged if stratum.n_sampled < stratum.n_posts]
    if len(partly) > 1:
        message = f"expected at most one unflagged stratum read in part, found {', '.join(partly)}; read one in full"
        raise ValueError(message)
    for stratum in (flagged, *unflagged):
        if stratum.n_positive + stratum.n_missing > stratum.n_sampled:
            message = (
                f"stratum {stratum.name}: expected n_positive + n_missing <= n_sampled, found {stratum.n_positive} + "
                f"{stratum.n_missing} of {stratum.n_sampled}"
            )
            raise ValueError(message)
