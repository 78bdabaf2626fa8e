"""How many unflagged posts must be read to show that recall reaches its target: exact, for a finite stream of posts."""

import math

from pydantic import Field

from screening.audit.finite_population import compute_lower_tail
from screening.audit.sampling import NEAR_SHARE, allocate_reading
from screening.types import Record

GOOD_CHANCE = 0.8
SHOWN_FIRST = 3


class AuditSize(Record):
    """A sample that shows the promise as long as no more than ``n_misses_found`` of its posts are positives.

    Attributes
    ----------
    n_misses_found : int
        Positives the audit may find among the unflagged posts it reads, wherever they lie.
    n_to_read : int
        The fewest posts to read for that; ``n_near`` of them are the highest-scoring ones, the rest are drawn.
    chance : float
        Probability of finding so few if recall is ``expected_recall`` and misses lie anywhere.
    """

    n_misses_found: int = Field(ge=0)
    n_to_read: int = Field(ge=0)
    n_near: int = Field(ge=0)
    chance: float = Field(ge=0, le=1)


class AuditPlan(Record):
    """What an audit of one period costs.

    Attributes
    ----------
    n_posts, n_flagged : int
        Posts of the period, and how many of them are flagged (all of these are read anyway).
    n_detected : int
        Positives expected among the flagged posts: ``ppv * n_flagged``, rounded down.
    n_allowed_misses : int
        Most positives that may stand among the unflagged posts while recall still reaches its target.
    sizes : tuple of AuditSize
        For none, one and two misses found, and for the fewest that leave a chance of at least 80 %.
    """

    n_posts: int
    n_flagged: int
    n_detected: int
    n_allowed_misses: int
    target_recall: float
    confidence_level: float
    expected_recall: float
    near_share: float
    sizes: tuple[AuditSize, ...]

    @property
    def n_unflagged(self) -> int:
        """Posts nobody reads without an audit."""
        return self.n_posts - self.n_flagged


def plan_audit(
    n_posts: int,
    n_flagged: int,
    ppv: float,
    *,
    target_recall: float,
    confidence_level: float,
    expected_recall: float,
    near_share: float = NEAR_SHARE,
) -> AuditPlan:
    """Plan the audit of one period's unflagged posts.

    Parameters
    ----------
    n_posts, n_flagged : int
        ``0 < n_flagged < n_posts``.
    ppv : float
        Share of flagged posts that are positive, in (0, 1]: from the reviewers' decisions, else from the run's report
        at the nearest prevalence.
    target_recall, confidence_level : float
        What is to be shown, both in (0, 1).
    expected_recall : float
        Recall you believe in, in (0, 1]; used for ``chance`` alone.
    near_share : float
        See :func:`screening.audit.sampling.allocate_reading`.

    Raises
    ------
    ValueError
        If a number is out of range, or no positive is expected among the flagged posts.

    Notes
    -----
    Recall is at least ``r`` exactly when at most ``D (1 - r) / r`` positives were missed (``D`` were flagged). After
    ``x`` misses found, one more than allowed is ruled out when ``P(Hypergeometric(N, allowed + 1, n) <= x)`` is at most
    ``1 - confidence_level``, with ``N`` and ``n`` the posts of the far stratum and those drawn from it. That all ``x``
    lie there is the worst case: a miss found near counts once, one found far stands for others.

    Examples
    --------
    >>> plan = plan_audit(10_000, 2_000, 0.0475, target_recall=0.95, confidence_level=0.95, expected_recall=0.98)
    >>> plan.n_detected, plan.n_allowed_misses, plan.sizes[0].n_to_read
    (95, 5, 3347)
    """
    _validate_plan(n_posts, n_flagged, ppv, (target_recall, confidence_level, expected_recall))
    n_detected = math.floor(n_flagged * ppv + 1e-9)  # 1e-9: a product meant to be whole may fall just short of it
    if n_detected == 0:
        message = (
            f"no positive is expected among {n_flagged} flagged posts at a PPV of {ppv}, so no recall can be shown; "
            "plan over a longer period"
        )
        raise ValueError(message)
    n_allowed = compute_allowed_misses(n_detected, target_recall)
    n_expected = round(n_detected * (1 - expected_recall) / expected_recall)
    sizes = _list_sizes(n_posts - n_flagged, n_allowed, n_expected, confidence_level, near_share)
    return AuditPlan(
        n_posts=n_posts,
        n_flagged=n_flagged,
        n_detected=n_detected,
        n_allowed_misses=n_allowed,
        target_recall=target_recall,
        confidence_level=confidence_level,
        expected_recall=expected_recall,
        near_share=near_share,
        sizes=sizes,
    )


def compute_allowed_misses(n_detected: int, target_recall: float) -> int:
    """Compute how many positives may be missed beside ``n_detected`` found before recall is below the target.

    Examples
    --------
    >>> compute_allowed_misses(95, 0.95)
    5
    """
    return math.floor(n_detected * (1 - target_recall) / target_recall + 1e-9)


def _list_sizes(
    n_unflagged: int, n_allowed: int, n_expected: int, confidence_level: float, near_share: float
) -> tuple[AuditSize, ...]:
    sizes = []
    for n_found in range(n_allowed + 1):
        n_to_read = compute_required_reading(
            n_unflagged, n_allowed, n_found, confidence_level=confidence_level, near_share=near_share
        )
        chance = compute_lower_tail(n_unflagged, min(n_expected, n_unflagged), n_to_read, n_found)
        n_near, _ = allocate_reading(n_unflagged, n_to_read, near_share)
        if n_found < SHOWN_FIRST or chance >= GOOD_CHANCE:
            sizes.append(AuditSize(n_misses_found=n_found, n_to_read=n_to_read, n_near=n_near, chance=min(chance, 1.0)))
        if chance >= GOOD_CHANCE:
            break
    return tuple(sizes)


def compute_required_reading(
    n_unflagged: int, n_allowed_misses: int, n_found: int, *, confidence_level: float, near_share: float = 0.0
) -> int:
    """Compute the fewest posts to read that rule out more than ``n_allowed_misses`` after ``n_found`` misses found.

    Returns
    -------
    int
        In ``[0, n_unflagged]``; every post where nothing less will do.

    Raises
    ------
    ValueError
        If more misses are found than allowed: then recall is below target, and no reading shows otherwise.

    Examples
    --------
    >>> compute_required_reading(8_000, 5, 0, confidence_level=0.95)
    3144
    """
    if not 0 <= n_found <= n_allowed_misses:
        message = f"expected 0 to {n_allowed_misses} misses found (as many as are allowed), found {n_found}"
        raise ValueError(message)
    low, high = 0, n_unflagged  # more reading never rules out less
    while low < high:
        middle = (low + high) // 2
        n_near, n_far = allocate_reading(n_unflagged, middle, near_share)
        tail = compute_lower_tail(n_unflagged - n_near, n_allowed_misses + 1, n_far, n_found)
        low, high = (low, middle) if tail <= 1 - confidence_level else (middle + 1, high)
    return low


def _validate_plan(n_posts: int, n_flagged: int, ppv: float, fractions: tuple[float, float, float]) -> None:
    target_recall, confidence_level, expected_recall = fractions
    is_valid = (
        0 < n_flagged < n_posts
        and 0 < ppv <= 1
        and 0 < target_recall < 1
        and 0 < confidence_level < 1
        and 0 < expected_recall <= 1
    )
    if not is_valid:
        message = (
            "expected 0 < n_flagged < n_posts, ppv and expected_recall in (0, 1], target_recall and confidence_level "
            f"in (0, 1), found {n_flagged}, {n_posts}, {ppv}, {expected_recall}, {target_recall}, {confidence_level}"
        )
        raise ValueError(message)
