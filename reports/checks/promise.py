"""Checks of the promise: enough positives, a bound that reaches the target, what test says, how many share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.special import betaincinv

from reports.check import Check, CheckKind, is_by_author
from reports.results import binarize_labels
from reports.sections.promised_recall import estimate_promised_recall
from reports.sections.recall import flag_posts
from screening.metrics.operating import judge_promise
from screening.thresholds.recall_control import compute_required_positives

if TYPE_CHECKING:
    import pandas as pd

    from reports.results import RunResults
    from screening.taxonomy import RiskTarget

POSITIVES = CheckKind(code="SCR003", title="Enough positives", severity="critical")
ON_TEST = CheckKind(code="SCR004", title="Promise holds on test", severity="critical")
BOUND = CheckKind(code="SCR010", title="Bound reaches the target", severity="critical")
TOGETHER = CheckKind(code="SCR013", title="Promises counted together", severity="minor")
INDEPENDENT = CheckKind(code="SCR018", title="Draws independent", severity="major")
ROUNDING = 1e-9  # the stored bound and the one computed here differ by rounding only
NO_POINT = "There is no operating point: nothing is promised."


def check_calibration_positives(results: RunResults) -> Check:
    """SCR003: every operating point rests on enough calibration positives."""
    short: list[str] = []
    spare: list[str] = []
    for point in results.operating_points:
        needed = compute_required_positives(point.target_recall, point.confidence_each)
        (short if point.n_positive < needed else spare).append(f"{point.name} {point.n_positive:,} (needs {needed})")
    if not results.operating_points:
        return POSITIVES.conclude("fail", NO_POINT)
    if short:
        return POSITIVES.conclude("fail", f"Too few calibration positives for the promise: {', '.join(short)}.")
    return POSITIVES.conclude("pass", f"Calibration positives: {', '.join(spare)}.")


def check_promise_on_test(results: RunResults) -> Check:
    """SCR004: test recall does not contradict the promise (its upper 95% bound is not below the target)."""
    if not results.operating_points:
        return ON_TEST.conclude("not_applicable", NO_POINT)
    contradicted, below, n_known = judge_on(results, results.test, "test")
    if contradicted:
        words = f"Test recall contradicts the promise: {'; '.join(contradicted)} (upper 95% bound below the promise)."
        return ON_TEST.conclude("fail", words)
    if below:
        return ON_TEST.conclude("warn", f"Test recall is below the promise, within chance: {'; '.join(below)}.")
    if n_known < len(results.targets):
        words = (
            "The test split holds no post of some target, or the recall is promised by author and the test table does "
            "not say which posts share one; evaluate again."
        )
        return ON_TEST.conclude("not_measured", words)
    return ON_TEST.conclude("pass", "Test recall reaches what was promised, for every target.")


def judge_on(results: RunResults, scores: pd.DataFrame, split: str) -> tuple[list[str], list[str], int]:
    """Judge every promise on some posts: contradicted ones and those below within chance, in words, and how many."""
    contradicted, below = [], []
    n_known = 0
    for target in results.targets:
        found, point = estimate_promised_recall(results, target, scores, split), results.point_by_target[target.name]
        if found.value is None:
            continue
        n_known += 1
        promised = point.target_recall
        drawn = "" if point.unit == "post" else " posts, one of each author,"
        n_found = round(found.value * found.n_samples)
        words = f"{target.name} {n_found:,} of {found.n_samples:,}{drawn} found, {promised:.3g} promised"
        if judge_promise(found, promised) == "contradicted":
            contradicted.append(words)
        elif found.value < promised:
            below.append(words)
    return contradicted, below, n_known


def check_recall_bound(results: RunResults) -> Check:
    """SCR010: the bound that calibration gives, computed anew, reaches the target at every threshold.

    Notes
    -----
    With ``k`` of ``n`` calibration positives below the threshold, the exact one-sided lower bound is the
    ``1 - confidence`` quantile of Beta(n - k, k + 1). The misses are counted from the stored calibration scores, so
    that a threshold of other scores is noticed; with authors as the unit only the numbers are compared.
    """
    if not results.operating_points:
        return BOUND.conclude("not_applicable", NO_POINT)
    faults = []
    for target in results.targets:
        point = results.point_by_target[target.name]
        n_misses = point.n_allowed_misses
        if not is_by_author(results):
            n_misses = max(n_misses, _count_calibration_misses(results, target))
        bound = float(betaincinv(point.n_positive - n_misses, n_misses + 1, 1 - point.confidence_each))
        if bound < point.target_recall - ROUNDING:
            faults.append(f"{target.name} {bound:.4f} from {n_misses:,} misses of {point.n_positive:,}, "
                          f"{point.target_recall:.3g} promised")  # fmt: skip
    if faults:
        return BOUND.conclude("fail", f"The bound on recall is below the target: {'; '.join(faults)}.")
    return BOUND.conclude("pass", "Every threshold's exact lower bound on recall, computed anew, reaches its target.")


def _count_calibration_misses(results: RunResults, target: RiskTarget) -> int:
    """Count calibration positives below the threshold; at most all but one of those the point says it has."""
    missed = binarize_labels(results.calibration, target) & ~flag_posts(results, target, results.calibration)
    return min(int(missed.sum()), results.point_by_target[target.name].n_positive - 1)


def check_promises_together(results: RunResults) -> Check:
    """SCR013: where several promises are made, the page can say how sure it is that all of them hold."""
    points = (*results.operating_points, *results.alternatives)
    if len(points) < 2:
        return TOGETHER.conclude("not_applicable", "There is one promise at most.")
    chance_of_any = min(1.0, sum(1 - point.confidence_each for point in points))
    words = f"{len(points)} promises; all hold together with a confidence of at least {1 - chance_of_any:.3g}"
    if all(point.n_promises >= len(points) for point in points):
        return TOGETHER.conclude("pass", f"{words}: they share it.")
    return TOGETHER.conclude(
        "notice", f"{words} (union bound), not the {points[0].confidence_level:.3g} of each alone."
    )


def check_independent_draws(results: RunResults) -> Check:
    """SCR018: a promise that counts posts as independent draws is not made from several posts of one author."""
    if not results.operating_points:
        return INDEPENDENT.conclude("not_applicable", NO_POINT)
    if is_by_author(results):
        return INDEPENDENT.conclude("pass", "The promise counts authors, not posts: posts of one author may be alike.")
    split = results.data_card.get("splits", {}).get("calibration", {})
    n_posts, n_authors = split.get("n_posts"), split.get("n_authors")
    if n_posts is None or n_authors is None:
        words = "The promise counts posts as independent; the data do not say how many authors wrote them."
        return INDEPENDENT.conclude("not_measured", words)
    words = f"{n_posts:,} calibration posts come from {n_authors:,} known authors"
    if n_posts > n_authors:
        words += ": the promise counts posts as independent and is too optimistic; set calibration.unit to author."
        return INDEPENDENT.conclude("warn", words)
    return INDEPENDENT.conclude("pass", f"{words}: one post each.")
