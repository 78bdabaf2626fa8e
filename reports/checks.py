"""Numbered checks: what a reader should know before believing a number.

Every check looks at one run and gives one outcome with one sentence. A check never stops a run; ``fail`` means that a
number on the page cannot be used the way it reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from reports.calibration import MAX_ECE_RISE, build_calibration_summary
from reports.data_flow import read_data_facts
from reports.recall import compute_result
from reports.results import RunResults
from reports.subgroups import MIN_POSITIVES, build_subgroups
from screening.metrics.operating import judge_promise
from screening.thresholds.recall_control import compute_required_positives
from screening.types import Record

Outcome = Literal["pass", "notice", "warn", "fail", "not_applicable", "not_measured"]
Severity = Literal["critical", "major", "minor"]
SYMBOLS: dict[Outcome, str] = {
    "fail": "✕", "warn": "!", "notice": "i", "pass": "✓", "not_measured": "?", "not_applicable": "–",
}  # fmt: skip


class Check(Record):
    """One check of one run: its number, how much depends on it, what came out, and one sentence."""

    code: str
    title: str
    severity: Severity
    outcome: Outcome
    sentence: str

    @property
    def symbol(self) -> str:
        """A sign beside the colour, for those who do not see the colour."""
        return SYMBOLS[self.outcome]


def run_checks(results: RunResults) -> tuple[Check, ...]:
    """Run every check; failures first, then by number."""
    checks = [check(results) for check in CHECKS]
    order = list(SYMBOLS)
    return tuple(sorted(checks, key=lambda check: (order.index(check.outcome), check.code)))


def summarise_checks(checks: tuple[Check, ...]) -> str:
    """Say in one sentence how many checks came out how."""
    counts = {outcome: sum(check.outcome == outcome for check in checks) for outcome in SYMBOLS}
    words = [f"{n} {outcome.replace('_', ' ')}" for outcome, n in counts.items() if n]
    return f"{len(checks)} checks: {', '.join(words)}. Failures come first."


def check_authors_apart(results: RunResults) -> Check:
    """SCR001: no author stands in two splits."""
    facts = read_data_facts(results.data_card)
    n_shared = facts.n_shared_authors
    outcome: Outcome
    if not facts.is_author_known:
        words = "The data name no authors: whether one author stands in two splits cannot be known."
        outcome = "not_applicable"
    elif n_shared is None:
        outcome, words = "not_measured", "The data card does not say how many authors stand in two splits."
    elif n_shared:
        outcome, words = "fail", f"{n_shared:,} authors have posts in two splits: test numbers are too good."
    else:
        outcome, words = "pass", "No author has posts in two splits."
    return _make("SCR001", "Authors kept apart", "critical", outcome, words)


def check_near_duplicates(results: RunResults) -> Check:
    """SCR002: no near-duplicate of a post stands in another split."""
    n_leaks = read_data_facts(results.data_card).n_near_duplicates
    outcome: Outcome
    if n_leaks is None:
        outcome, words = "not_measured", "The data card does not say how many near-duplicates stand in two splits."
    elif n_leaks:
        outcome, words = "fail", f"{n_leaks:,} posts have a near-duplicate in another split: test numbers are too good."
    else:
        outcome, words = "pass", "No post has a near-duplicate in another split."
    return _make("SCR002", "Near-duplicates kept apart", "critical", outcome, words)


def check_calibration_positives(results: RunResults) -> Check:
    """SCR003: every operating point rests on enough calibration positives."""
    short: list[str] = []
    spare: list[str] = []
    for point in results.operating_points:
        needed = compute_required_positives(point.target_recall, point.confidence_level)
        (short if point.n_positive < needed else spare).append(f"{point.name} {point.n_positive:,} (needs {needed})")
    if not results.operating_points:
        return _make(
            "SCR003", "Enough positives", "critical", "fail", "There is no operating point: nothing is promised."
        )
    if short:
        words = f"Too few calibration positives for the promise: {', '.join(short)}."
        return _make("SCR003", "Enough positives", "critical", "fail", words)
    return _make("SCR003", "Enough positives", "critical", "pass", f"Calibration positives: {', '.join(spare)}.")


def check_promise_on_test(results: RunResults) -> Check:
    """SCR004: test recall does not contradict the promise (its upper 95% bound is not below the target)."""
    contradicted, below = [], []
    for target in results.targets:
        result = compute_result(results, target, results.test, "test")
        promised = results.point_by_target[target.name].target_recall
        words = f"{target.name} {result.n_true_positive:,} of {result.n_positive:,} found, {promised:.0%} promised"
        if judge_promise(result.recall, promised) == "contradicted":
            contradicted.append(words)
        elif result.recall.value is None or result.recall.value < promised:
            below.append(words)
    title = "Promise holds on test"
    if contradicted:
        words = f"Test recall contradicts the promise: {'; '.join(contradicted)} (upper 95% bound below the promise)."
        return _make("SCR004", title, "critical", "fail", words)
    if below:
        words = f"Test recall is below the promise, within chance: {'; '.join(below)}."
        return _make("SCR004", title, "critical", "warn", words)
    return _make("SCR004", title, "critical", "pass", "Test recall reaches what was promised, for every target.")


def check_calibration_gain(results: RunResults) -> Check:
    """SCR005: temperature scaling did not make probabilities worse."""
    title = "Calibration helps"
    if results.temperature is None:
        return _make("SCR005", title, "major", "not_applicable", "Probabilities are not temperature-scaled.")
    frame = build_calibration_summary(results).frame
    worse = frame[frame["ece_after"] > frame["ece_before"] + MAX_ECE_RISE]
    words = "; ".join(
        f"{row.score} {row.ece_before:.3f} before, {row.ece_after:.3f} after" for row in worse.itertuples()
    )
    if len(worse):
        return _make("SCR005", title, "major", "warn", f"Calibration error rose with temperature scaling: {words}.")
    words = f"No calibration error rose by more than {MAX_ECE_RISE:.2f} with temperature scaling."
    return _make("SCR005", title, "major", "pass", words)


def check_group_sizes(results: RunResults) -> Check:
    """SCR006: every reported group has enough positives to say something about it."""
    frame = build_subgroups(results).frame
    small = frame[frame["is_suppressed"]]
    title = "Groups large enough"
    if frame.empty:
        return _make("SCR006", title, "minor", "not_applicable", "No groups are reported.")
    if len(small):
        words = f"{len(small)} of {len(frame)} group rows have fewer than {MIN_POSITIVES} positives and are not shown."
        return _make("SCR006", title, "minor", "warn", words)
    return _make("SCR006", title, "minor", "pass", f"Every group has at least {MIN_POSITIVES} positives.")


def check_real_posts(results: RunResults) -> Check:
    """SCR007: the posts were written by people."""
    if results.is_synthetic:
        words = "Posts were made by a generator: the numbers show that the toolkit runs, and nothing else."
        return _make("SCR007", "Posts by people", "critical", "fail", words)
    return _make("SCR007", "Posts by people", "critical", "pass", "Posts come from a data set, not from the generator.")


def check_threshold_split(results: RunResults) -> Check:
    """SCR008: no test post was used to choose a threshold."""
    shared = set(results.calibration["post_id"]) & set(results.test["post_id"])
    wrong = [point.name for point in results.operating_points if point.split != "calibration"]
    if shared or wrong:
        words = f"{len(shared):,} test posts are calibration posts; thresholds not chosen on calibration: {len(wrong)}."
        return _make("SCR008", "Thresholds chosen elsewhere", "critical", "fail", words)
    words = "Thresholds were chosen on the calibration split, which shares no post with the test split."
    return _make("SCR008", "Thresholds chosen elsewhere", "critical", "pass", words)


def check_truncation(results: RunResults) -> Check:
    """SCR009: few posts are cut to the model's window."""
    share = float(results.test["is_truncated"].mean())
    words = f"{share:.1%} of test posts are longer than {results.config.model.max_tokens} tokens; the rest is not read."
    outcome: Outcome = "warn" if share > 0.2 else "notice" if share > 0 else "pass"
    return _make("SCR009", "Posts read to the end", "minor", outcome, words)


CHECKS: tuple[Callable[[RunResults], Check], ...] = (
    check_authors_apart,
    check_near_duplicates,
    check_calibration_positives,
    check_promise_on_test,
    check_calibration_gain,
    check_group_sizes,
    check_real_posts,
    check_threshold_split,
    check_truncation,
)


def _make(code: str, title: str, severity: Severity, outcome: Outcome, sentence: str) -> Check:
    return Check(code=code, title=title, severity=severity, outcome=outcome, sentence=sentence)
