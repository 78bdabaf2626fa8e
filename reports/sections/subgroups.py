"""Recall and alerts by group of posts; groups too small to say anything about are not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.estimates import spread_estimate
from reports.page import Section
from reports.results import CONTROL_KIND, RunResults, once_per_run
from reports.sections.recall import compute_result
from reports.tables import Column, Table
from screening.metrics.workload import scale_alert_rate
from screening.thresholds.scope import AUTHOR_CODE_COLUMN, MIN_GROUP_SIZE, tells_posts_apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from screening.metrics.operating import OperatingResult
    from screening.taxonomy import RiskTarget

MIN_POSITIVES = 10
MAX_LEVELS = 20
LENGTH_EDGES = (0, 25, 50, 100, 200, float("inf"))
LENGTH_NAMES = ("up to 25 tokens", "26 to 50 tokens", "51 to 100 tokens", "101 to 200 tokens", "over 200 tokens")
OWN_COLUMNS = ("post_id", "label", "model_version", CONTROL_KIND, "created_at", "author_id", AUTHOR_CODE_COLUMN, "text",
               "valence", "intensity", "triage", "n_tokens", "n_windows", "is_truncated", "is_cleared")  # fmt: skip
SUPPRESSED = ("n_samples", "n_positive", "recall", "recall_low", "recall_high", "recall_n", "alerts_per_1000",
              "alerts_per_1000_low", "alerts_per_1000_high", "alerts_per_1000_n")  # fmt: skip


def build_subgroup_section(results: RunResults) -> Section:
    """Build groups of posts."""
    words = ("Groups of posts, not of people. A wide interval is no evidence of equality.",)
    return Section("subgroups", "Groups of posts", words, (build_subgroups(results),))


@once_per_run
def build_subgroups(results: RunResults) -> Table:
    """Build one row per target, grouping and group, over the test split.

    Rows with fewer than ten positives keep their name only: too few to compare, and small enough to point at people.
    So do the rows that would give them away; see :func:`choose_suppressed`.
    """
    rows = [
        row
        for grouping, levels in iterate_groupings(results)
        for target in results.targets
        for row in _describe_groups(results, target, grouping, levels)
    ]
    frame = pd.DataFrame(rows, columns=["grouping", "group", "target", "is_suppressed", *SUPPRESSED])
    columns = (
        Column("grouping", "Grouped by"),
        Column("group", "Group"),
        Column("target", "Risk target"),
        Column("n_positive", "Positives", "count", n_key="n_samples"),
        Column("recall", "Recall", "fraction", interval=True),
        Column("alerts_per_1000", "Alerts per 1,000", "number", interval=True),
    )
    note = (
        f"A dash: fewer than {MIN_POSITIVES} positives, or beside such a group, which could otherwise be worked out "
        "from the total. Exact 95% intervals per row, not corrected for the number of rows. The recall promise is made "
        "for all posts together, not within a group."
    )
    found = find_group_columns(results.test, results)
    if apart := [name for name in found if _tells_posts_apart(results.test[name])]:
        few = f"fewer than {MIN_GROUP_SIZE} posts a group, which may be single persons"
        note += f" Not grouped by {', '.join(apart)}: {few}."
    if implied := [name for name in found if _follows_from_label(results.test, name) and name not in apart]:
        note += f" Not grouped by {', '.join(implied)}: the label alone decides the group."
    return Table("subgroups", "Recall and alerts by group", frame, columns, "test split", note)


def iterate_groupings(results: RunResults) -> Iterator[tuple[str, list[tuple[str, pd.DataFrame]]]]:
    """Yield the name of each grouping with its groups: length, cut or not, year, and the group columns of the posts.

    A group column that follows from the label is left out: recall in its groups is recall by class. So is one that
    tells posts apart rather than groups: its values may be names.
    """
    test = results.test
    length = pd.cut(test["n_tokens"], LENGTH_EDGES, labels=LENGTH_NAMES, include_lowest=True)
    yield "length", _divide(test, length)
    yield "window", _divide(test, _describe_reading(test))
    if "created_at" in test:
        yield "year", _divide(test, pd.to_datetime(test["created_at"]).dt.year.astype("Int64").astype("string"))
    for column in find_group_columns(test, results):
        if not (_follows_from_label(test, column) or _tells_posts_apart(test[column])):
            yield column, _divide(test, test[column])


def _describe_reading(test: pd.DataFrame) -> pd.Series:
    several = (test["n_windows"] > 1).map({True: "read in several windows", False: "read in one window"})
    return several.mask(test["is_truncated"], "cut to the window")


def find_group_columns(scores: pd.DataFrame, results: RunResults) -> list[str]:
    """List the columns beside the score table's own, in table order: configured ones and those the source brings."""
    taxonomy = results.taxonomy
    own = {f"{kind}_{name}" for kind in ("prob", "logit") for name in taxonomy.names}
    own |= {f"risk_{target.name}" for target in taxonomy.targets}
    not_groups = {*OWN_COLUMNS, *own, results.config.data.author_column}
    return [str(name) for name in scores if name not in not_groups]


def _follows_from_label(scores: pd.DataFrame, column: str) -> bool:
    return bool((scores.groupby("label")[column].nunique() <= 1).all())


def _tells_posts_apart(values: pd.Series) -> bool:
    return tells_posts_apart(values.nunique(), values.count())


def _divide(test: pd.DataFrame, by: pd.Series) -> list[tuple[str, pd.DataFrame]]:
    """Divide posts into groups in order of level; a column with too many levels gives its most frequent ones."""
    frequent = by.value_counts().index[:MAX_LEVELS]
    chosen = by.isin(frequent)
    return [(str(level), part) for level, part in test[chosen].groupby(by[chosen], observed=True, sort=True)]


def choose_suppressed(n_positive: Sequence[int]) -> list[bool]:
    """Choose the groups of one grouping whose numbers are not shown (complementary suppression).

    Parameters
    ----------
    n_positive : sequence of int
        Positives in each group.

    Returns
    -------
    list of bool
        True for groups with fewer than ``MIN_POSITIVES``; if there are any, also for the next smallest, until at least
        two are hidden and together hold that many: the total less what is shown then gives no small number away.

    Examples
    --------
    >>> choose_suppressed([40, 3, 12, 90])
    [False, True, True, False]
    >>> choose_suppressed([40, 12, 90])
    [False, False, False]
    """
    order = sorted(range(len(n_positive)), key=lambda i: n_positive[i])
    hidden = [i for i in order if n_positive[i] < MIN_POSITIVES]
    if hidden:
        for i in order[len(hidden) :]:
            if len(hidden) > 1 and sum(n_positive[j] for j in hidden) >= MIN_POSITIVES:
                break
            hidden.append(i)
    return [i in hidden for i in range(len(n_positive))]


def _describe_groups(
    results: RunResults, target: RiskTarget, grouping: str, levels: list[tuple[str, pd.DataFrame]]
) -> list[dict[str, object]]:
    found = [compute_result(results, target, part, "test") for _, part in levels]
    is_hidden = choose_suppressed([result.n_positive for result in found])
    rows = []
    for (level, _), result, is_suppressed in zip(levels, found, is_hidden, strict=True):
        record: dict[str, object] = {"grouping": grouping, "group": level, "target": target.name}
        rows.append(record | {"is_suppressed": is_suppressed} | _write_numbers(result, is_suppressed=is_suppressed))
    return rows


def _write_numbers(result: OperatingResult, *, is_suppressed: bool) -> dict[str, object]:
    if is_suppressed:
        return dict.fromkeys(SUPPRESSED)
    numbers: dict[str, object] = {"n_samples": result.n_samples, "n_positive": result.n_positive}
    alerts = scale_alert_rate(result.alert_rate)
    return numbers | spread_estimate("recall", result.recall) | spread_estimate("alerts_per_1000", alerts)
