"""Which unflagged posts tell how many were missed: a random slice drawn here, or a sample from a file."""

import math
from collections.abc import Sequence
from typing import Self

import pandas as pd
from pydantic import Field, model_validator

from apps.review.services.stages import draw_uniform
from apps.review.services.tables import require_columns
from screening.audit.sampling import FLAGGED
from screening.data.schema import show_ids
from screening.data.spreadsheet_cells import restore_cell
from screening.exceptions import SchemaError
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


class SampledPosts(Record):
    """The posts of a sample that ``screening audit sample`` drew, and those of them that its target does not flag.

    The seed decides where these wait.
    """

    post_ids: frozenset[str]
    unflagged: frozenset[str]
    seed: int = 13


def match_sample(sample: pd.DataFrame, scores: pd.DataFrame, *, seed: int = 13) -> SampledPosts:
    """Find the posts of a sample in the score table it was drawn from.

    Parameters
    ----------
    sample : DataFrame
        ``post_id`` and ``stratum``; an id may stand with the apostrophe that keeps it from being a formula in a CSV.
    scores : DataFrame
        Score table; its ``post_id`` counts.

    Raises
    ------
    SchemaError
        If a column is missing, or a sampled post is not among the scored ones.
    """
    require_columns(sample, ("post_id", "stratum"), "audit sample")
    require_columns(scores, ("post_id",), "score table")
    scored = set(scores["post_id"].astype(str))
    cells = sample["post_id"].astype(str)
    ids = cells.where(cells.isin(scored), cells.map(restore_cell))
    is_missing = ~ids.isin(scored)
    if is_missing.any():
        message = (
            f"{int(is_missing.sum())} posts of the audit sample are not in the score table, first ids "
            f"{show_ids(ids[is_missing])}; import the scores the sample was drawn from"
        )
        raise SchemaError(message)
    unflagged = frozenset(ids[sample["stratum"] != FLAGGED])
    return SampledPosts(post_ids=frozenset(ids), unflagged=unflagged, seed=seed)
