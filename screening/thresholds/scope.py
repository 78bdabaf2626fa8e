"""Whom a promise covers: all posts or authors, and each group of some columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from screening.exceptions import ConfigError
from screening.metrics.validation import BoolArray

AUTHOR_COLUMN = "author_id"
AUTHOR_CODE_COLUMN = "author_code"  # in score tables, which name no author
MIN_GROUP_SIZE = 5  # posts a group has on average
_NO_GROUP_COLUMNS = ("post_id", "text", "label", AUTHOR_COLUMN, "created_at")


def tells_posts_apart(n_groups: int, n_posts: int) -> bool:
    """Tell a column that names persons or single posts from one of groups; of two values or one, it is of groups.

    Examples
    --------
    >>> tells_posts_apart(40, 100), tells_posts_apart(4, 100), tells_posts_apart(2, 4)
    (True, False, False)
    """
    return n_groups > 2 and n_posts < MIN_GROUP_SIZE * n_groups


@dataclass(frozen=True)
class PromiseScope:
    """What counts as one draw, and the groups of posts in which a promise is made too; by default posts, no groups.

    Attributes
    ----------
    groups : mapping of str to ndarray of str or None, shape (n_posts,)
        By column, the group each post is in; ``None`` where it is not known.
    authors : ndarray of int, shape (n_posts,), or None
        A number per author; a post without a known author has one of its own. ``None``: posts are drawn.
    order : ndarray of int, shape (n_posts,), or None
        The posts in random order: of an author's posts, the one that comes first in it is drawn.
    known : mapping of str to tuple of str
        By column, groups known beforehand: each is covered, or refused for want of positives, also where no calibration
        post is in it.
    """

    groups: Mapping[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    authors: npt.NDArray[np.intp] | None = None
    order: npt.NDArray[np.intp] | None = None
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def unit(self) -> Literal["post", "author"]:
        """What counts as one draw."""
        return "post" if self.authors is None else "author"

    def draw(self, candidates: BoolArray) -> BoolArray:
        """Draw one post of each author among the candidates; all candidates where posts count.

        Parameters
        ----------
        candidates : ndarray of bool, shape (n_posts,)

        Returns
        -------
        ndarray of bool, shape (n_posts,)
            Depends on authors and the random order alone, never on a score; each of an author's candidates is as
            likely as any other.
        """
        if self.authors is None or self.order is None:
            return candidates
        in_order = self.order[candidates[self.order]]
        _, first = np.unique(self.authors[in_order], return_index=True)
        drawn = np.zeros(candidates.shape, dtype=bool)
        drawn[in_order[first]] = True
        return drawn

    def iterate_groups(self) -> Iterator[tuple[str, str, BoolArray]]:
        """Iterate over column, group and whether each post is in it; groups in order of name."""
        for column, names in self.groups.items():
            for group in sorted({name for name in names if name is not None}.union(self.known.get(column, ()))):
                yield column, group, names == group


def build_scope(
    posts: pd.DataFrame,
    *,
    unit: str = "post",
    group_columns: Sequence[str] = (),
    rng: np.random.Generator,
    earlier: Sequence[pd.DataFrame] = (),
) -> PromiseScope:
    """Read authors and groups from the columns of the calibration posts.

    Parameters
    ----------
    posts : pandas.DataFrame
        ``author_id`` where the unit is ``author``, and the group columns; a missing value is no group, and an author
        of its own.
    unit : {"post", "author"}
        What counts as one draw.
    group_columns : sequence of str
    rng : numpy.random.Generator
        Orders the posts, which decides the post drawn of each author.
    earlier : sequence of DataFrame
        Other splits: a group of theirs that no calibration post is in is refused, not left out without a word.

    Raises
    ------
    ConfigError
        If a column is absent; the message names those present.
    """
    known = [str(name) for name in posts.columns if name not in _NO_GROUP_COLUMNS]
    absent = [name for name in group_columns if name not in known]
    if absent:
        message = (
            f"calibration.group_columns names {', '.join(absent)}, which the calibration split does not have; group "
            f"columns present: {', '.join(known) or 'none'}. Add it to data.group_columns and prepare again"
        )
        raise ConfigError(message)
    groups = {name: _read_names(posts[name]) for name in group_columns}
    met = {name: _list_groups(name, earlier) for name in group_columns}
    if unit == "post":
        return PromiseScope(groups=groups, known=met)
    return PromiseScope(groups=groups, authors=number_authors(posts), order=rng.permutation(len(posts)), known=met)


def _list_groups(name: str, tables: Sequence[pd.DataFrame]) -> tuple[str, ...]:
    return tuple(sorted({str(value) for table in tables if name in table for value in table[name].dropna().unique()}))


def _read_names(column: pd.Series) -> npt.NDArray[np.object_]:
    return np.array([None if pd.isna(value) else str(value) for value in column], dtype=object)


def number_authors(posts: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Give each author a number, in order of appearance; a post without one gets a number of its own.

    Raises
    ------
    ConfigError
        If the posts have no author column.
    """
    if AUTHOR_COLUMN not in posts:
        message = (
            f"calibration.unit is author, but the calibration split has no column {AUTHOR_COLUMN}; columns present: "
            f"{', '.join(map(str, posts.columns))}. Name the author's column in data.author_column and prepare again"
        )
        raise ConfigError(message)
    codes, names = pd.factorize(posts[AUTHOR_COLUMN])
    unknown = codes < 0
    codes[unknown] = len(names) + np.arange(int(unknown.sum()))
    return codes
