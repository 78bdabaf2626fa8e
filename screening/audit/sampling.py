"""A random audit of unflagged posts: which to read, so that recall can be estimated after deployment.

Notes
-----
The unflagged posts are divided by score into two strata. *Near* the threshold, where misses are likelier, every post is
read: what is found there is known, not estimated. Of the *far* rest a simple random sample is drawn without
replacement. With one sampled stratum, the bound on missed posts is the plain hypergeometric one: exact, with nothing
to assume about where misses lie. A bad guess of where they lie costs width, never validity.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, model_validator

from screening.metrics.validation import BoolArray
from screening.types import Record

NEAR_SHARE = 0.1
FLAGGED, NEAR, FAR = "flagged", "near", "far"


class Stratum(Record):
    """Posts of one kind in the audited period, and how many of them are read."""

    name: str
    n_posts: int = Field(ge=0)
    n_sampled: int = Field(ge=0)

    @model_validator(mode="after")
    def _validate_counts(self) -> Self:
        if self.n_sampled > self.n_posts:
            message = f"stratum {self.name}: expected n_sampled <= n_posts, found {self.n_sampled} of {self.n_posts}"
            raise ValueError(message)
        return self

    @property
    def inclusion_probability(self) -> float:
        """Probability of a post of the stratum to be read; 0 for an empty stratum."""
        return self.n_sampled / self.n_posts if self.n_posts else 0.0


@dataclass(frozen=True)
class AuditSample:
    """Posts to read: ``table`` has ``post_id``, ``stratum``, ``n_stratum``, ``n_sampled``, ``inclusion_probability``.

    Rows stand in random order, so that their order tells a reader nothing.
    """

    table: pd.DataFrame
    flagged: Stratum
    unflagged: tuple[Stratum, ...]


def allocate_reading(n_unflagged: int, n_to_read: int, near_share: float = NEAR_SHARE) -> tuple[int, int]:
    """Divide the reading: the nearest ``near_share * n_to_read`` posts are all read, the rest is drawn from the others.

    Parameters
    ----------
    n_unflagged, n_to_read : int
        ``0 <= n_to_read <= n_unflagged``.
    near_share : float
        In [0, 1); 0 is a simple random sample.

    Returns
    -------
    n_near, n_far : int
        Sum to ``n_to_read``.

    Examples
    --------
    >>> allocate_reading(8_000, 3_000)
    (300, 2700)
    """
    if not (0 <= n_to_read <= n_unflagged and 0 <= near_share < 1):
        message = (
            f"expected 0 <= n_to_read <= n_unflagged and near_share in [0, 1), found {n_to_read}, {n_unflagged} and "
            f"{near_share}"
        )
        raise ValueError(message)
    n_near = int(near_share * n_to_read + 1e-9)
    return n_near, n_to_read - n_near


def draw_audit_sample(
    posts: pd.DataFrame,
    flags: BoolArray,
    n_to_read: int,
    *,
    rng: np.random.Generator,
    near_share: float = NEAR_SHARE,
    n_flagged_to_read: int | None = None,
) -> AuditSample:
    """Draw the posts to read: the nearest unflagged ones, a random sample of the other unflagged, and flagged ones.

    Parameters
    ----------
    posts : DataFrame
        ``post_id`` (unique) and ``score`` of every post of the period; row order does not matter.
    flags : ndarray of bool, shape (n_posts,)
        Whether a post is flagged; such posts are never in the near or far stratum.
    n_to_read : int
        Unflagged posts to read, at most all of them.
    rng : numpy.random.Generator
        The same state gives the same sample.
    near_share : float
        See :func:`allocate_reading`.
    n_flagged_to_read : int, optional
        Flagged posts to read, drawn at random; all of them by default.

    Raises
    ------
    ValueError
        If more posts are to be read than there are.
    """
    ordered = posts.assign(is_flagged=flags).sort_values(["score", "post_id"], ascending=[False, True], kind="stable")
    flagged = ordered.loc[ordered["is_flagged"], "post_id"].to_numpy()
    unflagged = ordered.loc[~ordered["is_flagged"], "post_id"].to_numpy()
    n_near, n_far = allocate_reading(unflagged.size, n_to_read, near_share)
    parts = {
        FLAGGED: (flagged, flagged.size if n_flagged_to_read is None else n_flagged_to_read),
        NEAR: (unflagged[:n_near], n_near),
        FAR: (unflagged[n_near:], n_far),
    }
    strata = {name: Stratum(name=name, n_posts=ids.size, n_sampled=n) for name, (ids, n) in parts.items()}
    drawn = [_describe_posts(rng.choice(ids, n, replace=False), strata[name]) for name, (ids, n) in parts.items()]
    table = pd.concat(drawn, ignore_index=True)
    shuffled = table.iloc[rng.permutation(len(table))].reset_index(drop=True)
    return AuditSample(shuffled, strata[FLAGGED], (strata[NEAR], strata[FAR]))


def _describe_posts(post_ids: npt.NDArray[Any], stratum: Stratum) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "post_id": pd.Series(post_ids, dtype="str"),
            "stratum": pd.Series([stratum.name] * len(post_ids), dtype="str"),
            "n_stratum": stratum.n_posts,
            "n_sampled": stratum.n_sampled,
            "inclusion_probability": stratum.inclusion_probability,
        }
    )
