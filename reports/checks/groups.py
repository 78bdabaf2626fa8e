"""Checks of what changes from posts to posts: groups, small changes of the text, posts from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.check import Check, CheckKind
from reports.checks.promise import NO_POINT, judge_on
from reports.sections.robustness import build_robustness
from reports.sections.subgroups import MIN_POSITIVES, build_subgroups
from reports.sections.validation_elsewhere import build_later

if TYPE_CHECKING:
    import pandas as pd

    from reports.results import RunResults

GROUPS = CheckKind(code="SCR006", title="Groups large enough", severity="minor")
ROBUST = CheckKind(code="SCR014", title="Robust to small changes", severity="major")
ELSEWHERE = CheckKind(code="SCR016", title="Tried on other posts", severity="major")
MAX_RECALL_FALL = 0.05
MEANING_KEPT = ("typos",)


def check_group_sizes(results: RunResults) -> Check:
    """SCR006: every reported group has enough positives to say something about it."""
    frame = build_subgroups(results).frame
    if frame.empty:
        return GROUPS.conclude("not_applicable", "No groups are reported.")
    n_small = int(frame["is_suppressed"].sum())
    if n_small:
        words = (
            f"{n_small} of {len(frame)} group rows are not shown: fewer than {MIN_POSITIVES} positives, or hidden so "
            "that those cannot be worked out."
        )
        return GROUPS.conclude("warn", words)
    return GROUPS.conclude("pass", f"Every group has at least {MIN_POSITIVES} positives.")


def check_robustness(results: RunResults) -> Check:
    """SCR014: no change that keeps the meaning costs more than five points of recall."""
    table = build_robustness(results)
    if not results.operating_points:
        return ROBUST.conclude("not_applicable", NO_POINT)
    if table is None or table.frame.empty:
        return ROBUST.conclude("not_measured", "No test post was changed and scored again: evaluate the run again.")
    costly = table.frame[table.frame["difference"] < -MAX_RECALL_FALL]
    words = "; ".join(_describe_change(row) for row in costly.to_dict("records"))
    limit = f"{100 * MAX_RECALL_FALL:.0f} points of recall"
    if costly["perturbation"].isin(MEANING_KEPT).any():
        return ROBUST.conclude("warn", f"A change that keeps the meaning costs more than {limit}: {words}.")
    if len(costly):
        return ROBUST.conclude("notice", f"Only changes of what a post says cost more than {limit}: {words}.")
    worst = max(0.0, -100 * float(table.frame["difference"].min()))
    return ROBUST.conclude("pass", f"None of {len(table.frame)} changes costs more than {limit} (most: {worst:.1f}).")


def _describe_change(row: dict[Any, Any]) -> str:
    name = str(row["perturbation"]).replace("_", " ")
    return f"{name} {row['n_lost']:,} flags lost, {row['n_gained']:,} gained, of {row['n_posts']:,}"


def check_external(results: RunResults) -> Check:
    """SCR016: the screener was tried on posts from another place, none of them used before, and recall carried over.

    The promise was never made for such posts: recall below it there says that it does not carry, not that it is broken.
    """
    external = results.external
    if external is None or external.empty:
        words = "No posts from another place were tried: set data.external before relying on a number here."
        if build_later(results) is not None:
            words = f"Later posts were looked at. {words}"
        return ELSEWHERE.conclude("warn", words)
    used = set(results.calibration["post_id"]) | set(results.test["post_id"])
    n_shared = len(used & set(external["post_id"]))
    if n_shared:
        words = f"{n_shared:,} posts of the external set are calibration or test posts: it is not external."
        return ELSEWHERE.conclude("fail", words)
    return _judge_elsewhere(results, external)


def _judge_elsewhere(results: RunResults, external: pd.DataFrame) -> Check:
    if not results.operating_points:
        return ELSEWHERE.conclude("not_applicable", NO_POINT)
    short, below, n_known = judge_on(results, external, "external")
    if short:
        words = (
            f"On the external posts recall falls short beyond chance, the promise does not carry: {'; '.join(short)}."
        )
        return ELSEWHERE.conclude("fail", words)
    if below:
        words = f"Recall on the external posts is below the promise, within chance: {'; '.join(below)}."
        return ELSEWHERE.conclude("warn", words)
    if not n_known:
        words = (
            "The external posts hold no positive of any target, or do not say who wrote which for a promise by author."
        )
        return ELSEWHERE.conclude("not_measured", words)
    words = f"On {len(external):,} external posts recall reaches the promise, for {n_known} targets with positives."
    return ELSEWHERE.conclude("pass", words)
