"""Whether flags survive small changes of a post's text: recall before and after, on the same posts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.estimates import spread_estimate
from reports.figures.robustness import plot_recall_changes
from reports.page import Section
from reports.results import RunResults, binarize_labels
from reports.sections.recall import flag_posts
from reports.tables import Column, Table, format_prose
from screening.data.perturbation import PERTURBATIONS
from screening.metrics.intervals import estimate_proportion
from screening.metrics.paired import compare_recall_paired

if TYPE_CHECKING:
    from screening.taxonomy import RiskTarget

TITLE = "Small changes of the text"
NOT_MEASURED = (
    "Not measured in this run: no test post of the most urgent target was changed and scored again. "
    "`screening evaluate --force` does it."
)
SAYING = (
    "Each test post of {target} was changed by a fixed rule and scored again; its threshold stayed. A typo leaves the "
    "meaning as it was: a flag lost to it is a fault. Negation, a change of person and quotation marks change what a "
    "post says: whether a flag should stay is for the reader of the post, and a recall that falls may be right. "
    "Cutting loses words: what falls there rested on what was cut."
)
FLAGGED = (
    "At this threshold {share} of all test posts are flagged. The more posts are flagged, the less can be lost: a "
    "recall that stays says little about a threshold that flags most of them."
)


def build_robustness_section(results: RunResults) -> Section:
    """Build the change of recall per kind of change; says so where it was not measured."""
    table, changed = build_robustness(results), results.robustness
    if table is None or changed is None:
        return Section("robustness", TITLE, (NOT_MEASURED,))
    target = results.taxonomy.targets[0]
    n_chosen, n_positive = changed["post_id"].nunique(), int(binarize_labels(results.test, target).sum())
    chosen = "all" if n_chosen == n_positive else f"{n_chosen:,} of {n_positive:,} (at most 500, drawn with the seed)"
    words = (
        SAYING.format(target=target.name),
        FLAGGED.format(share=format_prose(float(flag_posts(results, target, results.test).mean()))),
        f"Posts: {chosen} test posts of {target.name}. This took {len(changed):,} texts scored beside the test split. "
        "The rules know English only.",
    )
    return Section("robustness", TITLE, words, (table,), pictures=(plot_recall_changes(table.frame, target.name),))


def build_robustness(results: RunResults) -> Table | None:
    """Compare recall before and after each kind of change, for the most urgent target.

    Returns
    -------
    Table or None
        One row per kind of change that applied to a post; ``None`` if nothing was measured, or the target has no
        operating point.
    """
    changed, target = results.robustness, results.taxonomy.targets[0]
    if changed is None or changed.empty or target.name not in results.point_by_target:
        return None
    kinds = [name for name in PERTURBATIONS if name in set(changed["perturbation"])]
    rows = [_describe(results, target, name, changed[changed["perturbation"] == name]) for name in kinds]
    columns = (
        Column("description", "Change"),
        Column("n_posts", "Posts", "count"),
        Column("before", "Recall before", "fraction", interval=True),
        Column("after", "Recall after", "fraction", interval=True),
        Column("difference", "Change, points", "percent_points", interval=True),
        Column("n_lost", "Flags lost", "count"),
        Column("n_gained", "Flags gained", "count"),
        Column("reading", "How to read it"),
    )
    note = (
        "Same posts before and after; posts a rule does not apply to are left out. Exact 95% intervals of recall, "
        "Tango's of the paired difference, not corrected for the number of rows."
    )
    frame = pd.DataFrame(rows)
    frame.insert(0, "target", target.name)
    return Table("robustness", f"Recall of {target.name} after changes of the text", frame, columns, "test split", note)


def _describe(results: RunResults, target: RiskTarget, name: str, changed: pd.DataFrame) -> dict[str, object]:
    point, column = results.point_by_target[target.name], f"risk_{target.name}"
    before = results.test.set_index("post_id")[column].loc[changed["post_id"]].to_numpy()
    flags_before, flags_after = point.flag(before), point.flag(changed[column].to_numpy())
    pair = compare_recall_paired([True] * len(changed), flags_after, flags_before, split="test")
    perturbation = PERTURBATIONS[name]
    record: dict[str, object] = {"perturbation": name, "description": perturbation.description}
    record |= {"reading": perturbation.reading, "n_posts": len(changed)}
    for moment, flags in (("before", flags_before), ("after", flags_after)):
        record |= spread_estimate(moment, estimate_proportion(int(flags.sum()), len(flags), split="test"))
    record |= spread_estimate("difference", pair.difference)
    return record | {"n_lost": pair.n_only_b, "n_gained": pair.n_only_a, "p_value": pair.p_value}
