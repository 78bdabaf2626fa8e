"""What missed posts and false alarms have in common, told in facts and classes; no text is read or shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.estimates import spread_estimate
from reports.page import Section
from reports.results import RunResults, binarize_labels, predict_labels
from reports.sections.classification import names_classes
from reports.sections.recall import flag_posts
from reports.sections.subgroups import MIN_POSITIVES
from reports.tables import Column, Table
from screening.data.text_facts import FACTS
from screening.metrics.intervals import estimate_proportion
from screening.metrics.two_groups import ComparedShares, compare_shares, correct_for_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from screening.taxonomy import RiskTarget

MIN_POSTS = MIN_POSITIVES
LEVEL = 0.05
TITLE = "What errors have in common"
PHRASE = "holds a phrase of the keyword list"
MISSED, ALARMS = ("missed posts", "found posts"), ("false alarms", "other posts passed")
OPENING = (
    "Each test post was reduced to yes-or-no facts about its text (English only, read off the surface). A fact that is "
    "more common among errors says where to look, not why the score was what it was."
)
NOT_MEASURED = (
    "Facts about the texts of test posts were not measured in this run; `screening evaluate --force` measures them."
)


def build_error_section(results: RunResults) -> Section | None:
    """Build what errors have in common; ``None`` without operating points, which leave nothing to err."""
    if not results.targets:
        return None
    taken, facts = build_taken_for(results), build_error_facts(results)
    words = [OPENING if facts else NOT_MEASURED, *_describe_small_groups(results)]
    if facts is None:
        return Section("errors", TITLE, tuple(words), (taken,) if len(taken.frame) else ())
    striking = _choose_striking(facts)
    if facts.frame.empty:
        words.append("No group is large enough to compare.")
    elif striking.frame.empty:
        words.append("No fact is more or less common among errors beyond chance.")
    tables = tuple(table for table in (striking, taken) if len(table.frame))
    return Section("errors", TITLE, tuple(words), tables, folded=(facts,) if len(facts.frame) else ())


def build_error_facts(results: RunResults) -> Table | None:
    """Compare how common each fact is among missed and found posts, and among false alarms and posts passed.

    Returns
    -------
    Table or None
        One row per target, comparison and fact, the least likely by chance first; no rows where one of the two groups
        has fewer than ten posts. ``None`` if no facts were measured for these posts.
    """
    facts = align_facts(results)
    if facts is None:
        return None
    rows = [
        row
        for target in results.targets
        for pair, (errors, others) in iterate_comparisons(results, target)
        for row in _compare(facts, target, pair, (errors, others))
    ]
    columns = (
        Column("target", "Risk target"),
        Column("errors", "Errors"),
        Column("description", "The post"),
        Column("first", "Among errors", "fraction", interval=True, n_key="first_n"),
        Column("second", "Among the others", "fraction", interval=True, n_key="second_n"),
        Column("ratio", "Times as common", "number"),
        Column("difference", "Difference, points", "percent_points", interval=True),
        Column("p_corrected", "p, corrected", "p_value"),
    )
    note = (
        "Missed posts are compared with found posts of the same target, false alarms with other posts passed. Exact "
        "95% intervals of shares, Newcombe's of the difference. p: Fisher's exact test, corrected for the number of "
        f"facts in each comparison (Holm). Groups under {MIN_POSTS} posts are not shown."
    )
    frame = pd.DataFrame(rows)
    return Table("error_facts", "Facts about errors, all", frame, columns, "test split", note)


def build_taken_for(results: RunResults) -> Table:
    """Count what missed posts were taken for (most probable class) and where false alarms come from (label)."""
    rows = []
    if names_classes(results.test, results):
        predicted = np.array(results.taxonomy.names, dtype=object)[predict_labels(results.test, results.taxonomy)]
        labels = results.test["label"].to_numpy(dtype=object)
        for target in results.targets:
            for (errors, _), (marks, _) in iterate_comparisons(results, target):
                kinds = predicted if errors == MISSED[0] else labels
                rows += _count_kinds(target, errors, kinds[marks])
    columns = (
        Column("target", "Risk target"),
        Column("errors", "Errors"),
        Column("kind", "Most probable class, or label"),
        Column("n_posts", "Posts", "count"),
        Column("share", "Share", "fraction", interval=True, n_key="share_n"),
    )
    note = (
        "Missed posts by the class the screener finds most probable (it can be one of the target's own: the threshold "
        f"is another question). False alarms by their label. Exact 95% intervals. Groups under {MIN_POSTS} posts are "
        "not shown."
    )
    return Table("taken_for", "What errors were taken for", pd.DataFrame(rows), columns, "test split", note)


def align_facts(results: RunResults) -> pd.DataFrame | None:
    """Put the facts in the order of the test posts; ``None`` if a test post has none."""
    if results.text_facts is None:
        return None
    facts = results.text_facts.set_index("post_id")
    if not facts.index.is_unique or not results.test["post_id"].isin(facts.index).all():
        return None
    return facts.loc[results.test["post_id"]]


def iterate_comparisons(
    results: RunResults, target: RiskTarget
) -> Iterator[tuple[tuple[str, str], tuple[np.ndarray, np.ndarray]]]:
    """Yield names and marks (shape (n_test,), bool) of errors and of the posts they are compared with."""
    y_true, flags = binarize_labels(results.test, target), flag_posts(results, target, results.test)
    yield MISSED, (y_true & ~flags, y_true & flags)
    yield ALARMS, (~y_true & flags, ~y_true & ~flags)


def _compare(
    facts: pd.DataFrame, target: RiskTarget, names: tuple[str, str], marks: tuple[np.ndarray, np.ndarray]
) -> list[dict[str, object]]:
    """Compare every fact in one pair of groups; nothing if a group is too small."""
    if min(int(group.sum()) for group in marks) < MIN_POSTS:
        return []
    phrase = f"phrase_{target.name}"
    described = {name: words for name, words in (FACTS | {phrase: PHRASE}).items() if name in facts}
    found = {name: _compare_fact(facts[name].to_numpy(dtype=bool), marks) for name in described}
    corrected = correct_for_many([shares.p_value for shares in found.values()])
    by_chance = sorted(zip(corrected, found, strict=True), key=lambda pair: (pair[0], found[pair[1]].p_value))
    start = {"target": target.name, "errors": names[0], "others": names[1]}
    return [
        start | {"fact": name, "description": described[name], "p_corrected": float(p)} | _spread_shares(found[name])
        for p, name in by_chance
    ]


def _compare_fact(values: np.ndarray, marks: tuple[np.ndarray, np.ndarray]) -> ComparedShares:
    first, second = ((int(values[group].sum()), int(group.sum())) for group in marks)
    return compare_shares(first, second, split="test")


def _spread_shares(shares: ComparedShares) -> dict[str, object]:
    record: dict[str, object] = {"ratio": shares.ratio, "p_value": shares.p_value}
    for name in ("first", "second", "difference"):
        record |= spread_estimate(name, getattr(shares, name))
    return record


def _choose_striking(facts: Table) -> Table:
    """Keep the rows that chance does not explain."""
    frame = facts.frame
    chosen = frame[frame["p_corrected"] <= LEVEL].reset_index(drop=True) if len(frame) else frame
    return Table("striking_facts", f"Facts about errors, beyond chance (corrected p up to {LEVEL:g})", chosen,
                 facts.columns, facts.split, facts.note)  # fmt: skip


def _count_kinds(target: RiskTarget, errors: str, kinds: np.ndarray) -> list[dict[str, object]]:
    """Count the posts of each class or label among errors, most first; nothing if there are too few errors."""
    if len(kinds) < MIN_POSTS:
        return []
    return [
        {"target": target.name, "errors": errors, "kind": str(kind), "n_posts": int(n)}
        | spread_estimate("share", estimate_proportion(int(n), len(kinds), split="test"))
        for kind, n in pd.Series(kinds).value_counts(sort=True).items()
    ]


def _describe_small_groups(results: RunResults) -> Iterator[str]:
    """Name the groups that are too small to say anything about."""
    for target in results.targets:
        for (errors, _), (marks, _) in iterate_comparisons(results, target):
            n = int(marks.sum())
            if n < MIN_POSTS:
                noun = errors.removesuffix("s") if n == 1 else errors
                yield f"{target.name}: {n} {noun}, too few to describe (under {MIN_POSTS})."
