"""Posts from outside the task that are learnt from, apart from those that false alarms are counted on."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.exceptions import ConfigError


def divide_controls(
    controls: pd.DataFrame,
    *,
    training_fraction: float,
    group_column: str | None,
    rng: np.random.Generator,
    setting: str = "cascade.control_group_column",
) -> NDArray[np.bool_]:
    """Draw the controls that may be learnt from, by a first stage or as a class; the others are for counting alerts.

    Parameters
    ----------
    controls : DataFrame
        ``control_kind`` and, where named, the group column.
    training_fraction : float
        In (0, 1); the share to learn from, of the groups of each kind.
    group_column : str or None
        Posts with the same value stay together, so that alerts are counted on groups (communities) that were never
        learnt from, a group with posts of several kinds too: it counts as of the kind most of its posts are of. A
        missing value is a group of its own. ``None`` draws single posts: both sides are then alike.
    rng : numpy.random.Generator
    setting : str
        What names the group column, for the error.

    Returns
    -------
    ndarray of bool, shape (n_posts,)
        Whether a post is to learn from. Of a kind with several groups, each side gets at least one; of a kind with one
        group, that group is only counted on.

    Raises
    ------
    ConfigError
        If the column is absent, or nothing would be left on one side.
    """
    names, group, sizes = np.unique(
        _read_groups(controls, group_column, setting), return_inverse=True, return_counts=True
    )
    main_kind = _find_main_kinds(group, controls["control_kind"])
    is_drawn = np.zeros(len(names), dtype=bool)  # a group is drawn once, whatever kinds its posts are of
    for kind in np.unique(main_kind):
        of_kind = np.flatnonzero(main_kind == kind)
        order = of_kind[rng.permutation(len(of_kind))]
        n_before = np.cumsum(sizes[order]) - sizes[order]
        is_drawn[order] = n_before + sizes[order] / 2 < training_fraction * sizes[order].sum()  # nearest to the share
        is_drawn[order[:1]], is_drawn[order[-1:]] = True, False
    is_training: NDArray[np.bool_] = is_drawn[group]
    if not is_training.any():
        message = (
            f"expected controls of at least two groups of {group_column or 'one post'} in some control_kind, found "
            f"{len(controls)} controls and no kind with two; give more controls or another {setting}"
        )
        raise ConfigError(message)
    return is_training


def _find_main_kinds(group: NDArray[np.intp], kinds: pd.Series) -> NDArray[np.intp]:
    """Find the kind that most posts of each group are of, the first by name of several, shape (n_groups,)."""
    names, kind = np.unique(kinds.to_numpy(dtype=str), return_inverse=True)
    n_posts = np.zeros((group.max(initial=-1) + 1, len(names)), dtype=np.int64)
    np.add.at(n_posts, (group, kind), 1)
    return n_posts.argmax(axis=1)


def _read_groups(controls: pd.DataFrame, column: str | None, setting: str) -> NDArray[np.str_]:
    if column is None:
        return np.array([f"{i:09d}" for i in range(len(controls))])
    if column not in controls:
        present = ", ".join(str(name) for name in controls if name not in ("post_id", "text"))
        message = (
            f"{setting} names {column!r}, which the controls do not have; columns present: "
            f"{present}. Add it to data.group_columns and prepare again"
        )
        raise ConfigError(message)
    return controls[column].fillna("").astype(str).to_numpy(dtype=str)
