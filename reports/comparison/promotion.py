"""The promotion gate: what speaks against putting a challenger in the champion's place, one rule at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from reports.check import Check, CheckKind
from reports.sections.promised_recall import estimate_promised_recall, judge_target
from reports.tables import format_prose, format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.comparison.run_pair import RunPair
    from reports.tables import Kind
    from screening.taxonomy import RiskTarget
    from screening.thresholds.operating_point import OperatingPoint
    from screening.types import Estimate

PROMISE = CheckKind(code="GATE1", title="Promise as strong", severity="critical")
ON_TEST = CheckKind(code="GATE2", title="Promise not contradicted on test", severity="critical")
RECALL = CheckKind(code="GATE3", title="Recall no worse", severity="critical")
PRECISION = CheckKind(code="GATE4", title="Precision no worse", severity="critical")
ALERTS = CheckKind(code="GATE5", title="False alarms no worse", severity="critical")


def judge_promotion(pair: RunPair) -> tuple[Check, ...]:
    """Apply every rule to every risk target of the champion; the gate is met if none fails.

    Notes
    -----
    A rule about a difference fails if its whole paired 95% interval lies on the worse side: chance alone breaks one
    such rule in about 1 of 40, and several rules in more. It does not fail for want of posts: a small test split
    lets a worse challenger pass, and the sentence shows the interval.
    """
    rules: list[Check] = []
    shared = {target.name for target in pair.targets}
    for target in pair.champion.targets:
        if target.name in shared:
            rules.extend(_judge_target(pair, target))
        else:
            rules.append(PROMISE.conclude("fail", f"{target.name}: the challenger has no operating point."))
    if not rules:
        rules.append(PROMISE.conclude("fail", "The champion has no operating point: there is no promise to compare."))
    return tuple(rules)


def is_met(rules: tuple[Check, ...]) -> bool:
    """Whether the gate is met: no rule fails."""
    return all(rule.outcome != "fail" for rule in rules)


def state_verdict(pair: RunPair, rules: tuple[Check, ...], n_runs: int) -> str:
    """Say in two sentences what the gate came to, and why passing it is no proof of a gain.

    Parameters
    ----------
    n_runs : int
        Runs known to have read this test split, champion and challenger among them.
    """
    n_failed = sum(rule.outcome == "fail" for rule in rules)
    n_posts = f"{len(pair.champion.test):,} test posts"
    reused = (
        f"At least {n_runs} runs have read this test split, so a difference on it is no proof of a gain: whoever built "
        "or picked the challenger after seeing test numbers tuned it on these posts; confirm a gain on posts nobody "
        "has scored."
    )
    n_open = sum(rule.outcome == "not_measured" for rule in rules)
    left = f" ({n_open} could not be judged)" if n_open else ""
    if n_failed:
        said = f"Gate not met: {n_failed} of {len(rules)} rules speak against the challenger on {n_posts}{left}."
    else:
        said = f"Gate met: none of {len(rules)} rules speaks against the challenger on {n_posts}{left}."
    return f"{said} {reused}"


def _judge_target(pair: RunPair, target: RiskTarget) -> Iterator[Check]:
    """Judge one target: promise, test, recall, precision, false alarms on test and on each kind of controls."""
    yield _judge_promise(pair, target)
    yield _judge_on_test(pair, target)
    paired = pair.compare_recall(target)
    counts = (
        f"{paired.n_only_a:,} of {paired.difference.n_samples:,} positives found by the challenger alone, "
        f"{paired.n_only_b:,} by the champion alone, exact McNemar p = {paired.p_value:.2g}"
    )
    yield _judge_difference(RECALL, f"{target.name}: recall", paired.difference, "percent_points", "low", counts)
    difference = pair.compare_precision(target)
    yield _judge_difference(PRECISION, f"{target.name}: PPV", difference, "percent_points", "low")
    for words, rate in _compare_false_alarms(pair, target):
        yield _judge_difference(ALERTS, f"{target.name}: {words}", rate, "signed", "high")


def _compare_false_alarms(pair: RunPair, target: RiskTarget) -> Iterator[tuple[str, Estimate]]:
    yield "alerts per 1,000 other test posts", pair.compare_alerts(target, only_false=True)
    for kind in pair.control_kinds:
        yield f"alerts per 1,000 controls ({kind})", pair.compare_control_alerts(target, kind)


def _judge_promise(pair: RunPair, target: RiskTarget) -> Check:
    old, new = (run.point_by_target[target.name] for run in (pair.champion, pair.challenger))
    words = f"{target.name}: {_describe_promise(new)}; the champion promises {_describe_promise(old)}"
    is_weaker = (
        new.target_recall < old.target_recall
        or new.confidence_each < old.confidence_each
        or (old.unit == "author" and new.unit == "post")
        or not {(group.column, group.group) for group in old.groups}
        <= {(group.column, group.group) for group in new.groups}
    )
    return PROMISE.conclude("fail" if is_weaker else "pass", f"{words}.")


def _describe_promise(point: OperatingPoint) -> str:
    whose = "of posts" if point.unit == "post" else "of one post per author"
    groups = f", also in {len(point.groups)} groups" if point.groups else ""
    return f"recall {point.target_recall:.4g} {whose} with confidence {point.confidence_each:.4g}{groups}"


def _judge_on_test(pair: RunPair, target: RiskTarget) -> Check:
    run = pair.challenger
    point, found = run.point_by_target[target.name], estimate_promised_recall(run, target, run.test, "test")
    verdict = judge_target(run, target, run.test, "test")
    if found.value is None or found.interval is None:
        by_author = point.unit == "author"
        missing = "does not say which posts share an author" if by_author else "holds no such post"
        return ON_TEST.conclude("not_measured", f"{target.name}: the test split {missing}.")
    low, high = (format_value(end, "fraction") for end in (found.interval.low, found.interval.high))
    counted = "positives" if point.unit == "post" else "authors' drawn posts"
    words = (
        f"{target.name}: the challenger found {round(found.value * found.n_samples):,} of {found.n_samples:,} "
        f"{counted} (95% interval {low} to {high}), {format_prose(point.target_recall)} promised: {verdict}."
    )
    return ON_TEST.conclude("fail" if verdict == "contradicted" else "pass", words)


def _judge_difference(
    kind: CheckKind, name: str, difference: Estimate, unit: Kind, worse: Literal["low", "high"], counts: str = ""
) -> Check:
    """Fail if the whole interval of the difference lies below 0 (``worse`` is low) or above it (high)."""
    if difference.value is None or difference.interval is None:
        return kind.conclude("not_measured", f"{name}: nothing to compare.")
    low, high = difference.interval.low, difference.interval.high
    points = " points" if unit == "percent_points" else ""
    shown = [format_value(value, unit) for value in (difference.value, low, high)]
    words = (
        f"{name}, difference {shown[0]}{points} (paired 95% interval {shown[1]} to {shown[2]}; "
        f"n = {difference.n_samples:,} posts{'; ' + counts if counts else ''})"
    )
    is_worse = high < 0 if worse == "low" else low > 0
    return kind.conclude("fail" if is_worse else "pass", f"{words}{': worse' if is_worse else ''}.")
