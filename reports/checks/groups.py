"""Checks of what changes from posts to posts: groups, small changes of the text, posts from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.checks.check import Check, CheckKind
from reports.checks.promise import NO_POINT, judge_on
from reports.recall import flag_posts
from reports.results import binarize_labels
from reports.subgroups import MIN_POSITIVES, build_subgroups

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from reports.results import RunResults

GROUPS = CheckKind(code="SCR006", title="Groups large enough", severity="minor")
ROBUST = CheckKind(code="SCR014", title="Robust to small changes", severity="major")
ELSEWHERE = CheckKind(code="SCR016", title="Tried on other posts", severity="major")
MAX_RECALL_FALL = 0.05


def check_group_sizes(results: RunResults) -> Check:
    """SCR006: every reported group has enough positives to say something about it."""
    frame = build_subgroups(results).frame
    if frame.empty:
        return GROUPS.conclude("not_applicable", "No groups are reported.")
    n_small = int(frame["is_suppressed"].sum())
    if n_small:
        words = f"{n_small} of {len(frame)} group rows have fewer than {MIN_POSITIVES} positives and are not shown."
        return GROUPS.conclude("warn", words)
    return GROUPS.conclude("pass", f"Every group has at least {MIN_POSITIVES} positives.")


def check_robustness(results: RunResults) -> Check:
    """SCR014: no small change of the text costs more than five points of recall."""
    changed = results.robustness
    if not results.operating_points:
        return ROBUST.conclude("not_applicable", NO_POINT)
    if changed is None or changed.empty:
        return ROBUST.conclude("not_measured", "No post was changed and scored again: evaluate with report.robustness.")
    falls = sorted(_compute_recall_falls(results), reverse=True)
    if not falls:
        return ROBUST.conclude("not_measured", "No changed post carries a label of a target.")
    large = [words for fall, words in falls if fall > MAX_RECALL_FALL]
    if large:
        words = (
            f"A small change of the text costs more than {MAX_RECALL_FALL:.0%} points of recall: {'; '.join(large)}."
        )
        return ROBUST.conclude("warn", words.replace("% points", " points"))
    n_kinds = changed["perturbation"].nunique()
    words = f"None of {n_kinds} small changes of the text costs more than {100 * MAX_RECALL_FALL:.0f} points of recall"
    return ROBUST.conclude("pass", f"{words} (largest fall: {falls[0][1]}).")


def _compute_recall_falls(results: RunResults) -> Iterator[tuple[float, str]]:
    """Yield how much recall each change costs each target on the same posts, largest scores first, with its words."""
    assert results.robustness is not None  # noqa: S101  the caller looked
    for target in results.targets:
        found = dict(zip(results.test["post_id"], flag_posts(results, target, results.test), strict=True))
        positives = results.robustness[binarize_labels(results.robustness, target)]
        for name, part in positives.groupby("perturbation", observed=True, sort=True):
            before = sum(bool(found[post]) for post in part["post_id"])
            after = int(flag_posts(results, target, part).sum())
            words = f"{name} {target.name} {before:,} found before and {after:,} after, of {len(part):,}"
            yield (before - after) / len(part), words


def check_external(results: RunResults) -> Check:
    """SCR016: the promise was tried on posts from another place or time, none of them used before."""
    external = results.external
    if external is None or external.empty:
        words = "No posts from another place or time were tried: set data.external before relying on a number here."
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
    contradicted, below, n_known = judge_on(results, external, "external")
    if contradicted:
        words = f"Recall on the external posts contradicts the promise: {'; '.join(contradicted)}."
        return ELSEWHERE.conclude("fail", words)
    if below:
        words = f"Recall on the external posts is below the promise, within chance: {'; '.join(below)}."
        return ELSEWHERE.conclude("warn", words)
    if not n_known:
        return ELSEWHERE.conclude("not_measured", "The external posts hold no positive of any target.")
    words = f"On {len(external):,} external posts recall reaches the promise, for {n_known} targets with positives."
    return ELSEWHERE.conclude("pass", words)
