"""Drawing the random slice of unflagged posts that tells how many posts were missed."""

import math
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from apps.review.services.stages import draw_uniform
from screening.types import Record


class AuditSlice(Record):
    """How many unflagged posts to draw: a fraction of them or a number; the same seed draws the same posts."""

    fraction: float | None = Field(None, gt=0, le=1)
    n_posts: int | None = Field(None, ge=1)
    seed: int = 13

    @model_validator(mode="after")
    def _validate_choice(self) -> Self:
        if (self.fraction is None) == (self.n_posts is None):
            message = "an audit slice is a fraction of the unflagged posts or a number of them: give one of the two"
            raise ValueError(message)
        return self

    def count(self, n_unflagged: int) -> int:
        """Count the posts to draw; a fraction is rounded up, a number is cut to what there is.

        Examples
        --------
        >>> AuditSlice(fraction=0.01).count(250), AuditSlice(n_posts=400).count(250)
        (3, 250)
        """
        if self.n_posts is not None:
            return min(self.n_posts, n_unflagged)
        return math.ceil((self.fraction or 0.0) * n_unflagged - 1e-9)


def draw_audit_slice(frame: Sequence[str], plan: AuditSlice | None) -> frozenset[str]:
    """Draw a simple random sample without replacement: the posts with the smallest hashes of seed and id.

    Parameters
    ----------
    frame : sequence of str
        Ids of the unflagged posts, each once.

    Examples
    --------
    >>> frame = [f"p{i}" for i in range(100)]
    >>> len(draw_audit_slice(frame, AuditSlice(fraction=0.05))), draw_audit_slice(frame, None)
    (5, frozenset())
    """
    if plan is None:
        return frozenset()
    ranked = sorted(frame, key=lambda post_id: (draw_uniform(f"audit {post_id}", plan.seed), post_id))
    return frozenset(ranked[: plan.count(len(frame))])
