"""Two runs side by side on the same posts: what each promised and found, and paired differences with intervals."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from reports.results import binarize_labels, control_groups, mark_read
from reports.sections.recall import compute_result, flag_posts
from screening.exceptions import SchemaError
from screening.metrics.paired import PairedRecall, compare_recall_paired
from screening.metrics.paired_precision import compare_precision_paired
from screening.types import Estimate, Interval

if TYPE_CHECKING:
    import pandas as pd

    from reports.results import RunResults
    from screening.metrics.operating import OperatingResult
    from screening.taxonomy import RiskTarget

PER_POSTS = 1_000
CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class RunPair:
    """A champion and a challenger whose test tables hold the same posts in the same order; see :func:`pair_runs`.

    Every difference is challenger less champion, on the same posts.
    """

    champion: RunResults
    challenger: RunResults

    @cached_property
    def targets(self) -> tuple[RiskTarget, ...]:
        """Risk targets with an operating point in both runs, most urgent first."""
        names = {target.name for target in self.challenger.targets}
        return tuple(target for target in self.champion.targets if target.name in names)

    @cached_property
    def control_kinds(self) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
        """Controls that both runs counted alerts on, champion's and challenger's rows in one order, by kind."""
        return _pair_controls(self.champion.controls, self.challenger.controls)

    def describe_controls(self) -> str:
        """Say which controls only one run counted alerts on, to end a note with; empty where there are none."""
        old, new = (
            {kind: len(group) for kind, group in control_groups(run.controls)}
            for run in (self.champion, self.challenger)
        )
        both = {kind: len(first) for kind, (first, _) in self.control_kinds.items()}
        counts = [
            f"{kind}: {both.get(kind, 0):,} posts, of the champion's {old.get(kind, 0):,} and the challenger's "
            f"{new.get(kind, 0):,}"
            for kind in sorted(old.keys() | new.keys())
            if not both.get(kind) == old.get(kind) == new.get(kind)
        ]
        if not counts:
            return ""
        return f" Controls are compared where both runs counted alerts on them ({'; '.join(counts)})."

    def compare_recall(self, target: RiskTarget) -> PairedRecall:
        """Compare recall at each run's own threshold: exact McNemar test, score interval of the difference."""
        y_true, champion, challenger = self.flag(target)
        return compare_recall_paired(y_true, challenger, champion, split="test")

    def compare_precision(self, target: RiskTarget) -> Estimate:
        """Compare PPV at each run's own threshold: paired bootstrap, seeded with the champion's seed."""
        y_true, champion, challenger = self.flag(target)
        rng = np.random.default_rng(self.champion.config.seed)
        return compare_precision_paired(y_true, challenger, champion, split="test", rng=rng)

    def compare_alerts(self, target: RiskTarget, *, only_false: bool = False) -> Estimate:
        """Compare alerts per 1,000 test posts, or per 1,000 test posts without the target's labels."""
        y_true, champion, challenger = self.flag(target)
        counted = ~y_true if only_false else np.ones(len(y_true), dtype=bool)
        return _compare_rates(counted, champion, challenger, "test")

    def compare_control_alerts(self, target: RiskTarget, kind: str) -> Estimate:
        """Compare alerts per 1,000 controls of one kind."""
        first, second = self.control_kinds[kind]
        flags = flag_posts(self.champion, target, first), flag_posts(self.challenger, target, second)
        return _compare_rates(np.ones(len(first), dtype=bool), *flags, f"controls: {kind}")

    def flag(self, target: RiskTarget) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mark positives and what each run flags among the test posts, shape (n,) each, bool."""
        return (
            binarize_labels(self.champion.test, target),
            flag_posts(self.champion, target, self.champion.test),
            flag_posts(self.challenger, target, self.challenger.test),
        )

    def find_results(self, target: RiskTarget) -> tuple[OperatingResult, OperatingResult]:
        """Count what each run's operating point did on test, champion first."""
        first, second = (compute_result(run, target, run.test, "test") for run in (self.champion, self.challenger))
        return first, second


def pair_runs(champion: RunResults, challenger: RunResults) -> RunPair:
    """Put two runs' test tables in the same order.

    Raises
    ------
    SchemaError
        If the runs know other targets or labels, or their test splits hold other posts or other labels: a difference
        would then be one of posts, not of screeners.
    """
    _validate_taxonomies(champion, challenger)
    first, second = champion.test.set_index("post_id"), challenger.test.set_index("post_id")
    n_missing, n_added = len(first.index.difference(second.index)), len(second.index.difference(first.index))
    if n_missing or n_added:
        message = (
            f"expected the same test posts in both runs, found {len(first):,} and {len(second):,}, of which "
            f"{n_missing:,} only in the champion's and {n_added:,} only in the challenger's; evaluate both on one split"
        )
        raise SchemaError(message)
    aligned = second.loc[first.index]
    n_relabelled = int((aligned["label"].astype(str) != first["label"].astype(str)).sum())
    if n_relabelled:
        message = (
            f"expected the same label of every test post in both runs, found {n_relabelled:,} of {len(first):,} posts "
            "with another; prepare both runs from the same labels"
        )
        raise SchemaError(message)
    return RunPair(champion, dataclasses.replace(challenger, test=aligned.reset_index()))


def keep_posts_both_read(pair: RunPair) -> RunPair:
    """Leave out test posts that a first stage of either run cleared: they have no probability to compare."""
    runs = pair.champion, pair.challenger
    is_read = np.logical_and.reduce([mark_read(run.test) for run in runs])
    return RunPair(*(dataclasses.replace(run, test=run.test[is_read].reset_index(drop=True)) for run in runs))


def _validate_taxonomies(champion: RunResults, challenger: RunResults) -> None:
    def describe(run: RunResults) -> dict[str, tuple[str, ...]]:
        return {target.name: tuple(sorted(target.labels)) for target in run.taxonomy.targets}

    names, others = champion.taxonomy.names, challenger.taxonomy.names
    if names != others:
        message = (
            f"expected the same labels in both runs, found {', '.join(names)} and {', '.join(others)}; runs of other "
            "classes are not compared: read both reports, on the posts both have"
        )
        raise SchemaError(message)
    if describe(champion) != describe(challenger):
        message = (
            f"expected the same risk targets in both runs, found {describe(champion)} and "
            f"{describe(challenger)}; promises about different labels cannot be compared"
        )
        raise SchemaError(message)


def _compare_rates(counted: np.ndarray, champion: np.ndarray, challenger: np.ndarray, split: str) -> Estimate:
    """Compare flags per 1,000 of the counted posts: the same paired proportions as for recall."""
    difference = compare_recall_paired(counted, challenger, champion, split=split).difference
    if difference.value is None or difference.interval is None:
        return difference
    low, high = PER_POSTS * difference.interval.low, PER_POSTS * difference.interval.high
    interval = Interval(low=low, high=high, confidence_level=difference.interval.confidence_level)
    return Estimate(value=PER_POSTS * difference.value, interval=interval, n_samples=difference.n_samples, split=split)


def _pair_controls(
    first: pd.DataFrame | None, second: pd.DataFrame | None
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    by_kind = dict(control_groups(second))
    pairs = {}
    for kind, group in control_groups(first):
        if kind in by_kind:
            other = by_kind[kind].set_index("post_id")
            shared = group[group["post_id"].isin(other.index)].reset_index(drop=True)
            pairs[kind] = shared, other.loc[shared["post_id"]].reset_index()
    return {kind: tables for kind, tables in pairs.items() if len(tables[0])}
