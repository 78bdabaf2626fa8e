"""Checks of explanations: do weights add up, and do the words they name matter more than random words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.checks.check import Check, CheckKind
from reports.explanations import estimate_gain_over_random, estimate_reliability

if TYPE_CHECKING:
    from reports.results import RunResults

FAITHFUL = CheckKind(code="SCR011", title="Explanations beat random words", severity="major")
RELIABLE = CheckKind(code="SCR015", title="Explanations add up", severity="minor")
MIN_RELIABLE = 0.95
EXPLAIN = "screening explain RUN"


def check_faithfulness(results: RunResults) -> Check:
    """SCR011: removing the words an explanation names lowers the score more than removing random words.

    Passes if the whole interval of the mean gain over random words lies above 0.
    """
    if results.faithfulness is None or results.faithfulness.empty:
        return FAITHFUL.conclude("not_measured", f"Not measured: {EXPLAIN} masks words and scores again.")
    gain = estimate_gain_over_random(results)
    if gain.value is None or gain.interval is None:
        return FAITHFUL.conclude("not_measured", "No explained post holds words to mask.")
    words = (
        f"{gain.value:+.2f} (95% interval {gain.interval.low:+.2f} to {gain.interval.high:+.2f}; "
        f"{gain.n_samples:,} flagged test posts)"
    ).replace("-", "\u2212")
    if gain.interval.low > 0:
        return FAITHFUL.conclude("pass", f"Marked words lower the score more than random words do, by {words}.")
    return FAITHFUL.conclude("fail", f"Marked words matter no more than random words: the gain is {words}.")


def check_reliability(results: RunResults) -> Check:
    """SCR015: at least 95 % of explanations add up to the change of score."""
    parts = estimate_reliability(results)
    if not parts:
        return RELIABLE.conclude("not_measured", f"No flagged post was explained: {EXPLAIN}.")
    low = {head: share for head, share in parts.items() if share.value is not None and share.value < MIN_RELIABLE}
    known = [(head, share) for head, share in (low or parts).items() if share.value is not None]
    shown = "; ".join(f"{head} {share.value:.1%} of {share.n_samples:,}" for head, share in known)
    if low:
        words = f"Fewer than {MIN_RELIABLE:.0%} of explanations add up to the change of score: {shown}."
        return RELIABLE.conclude("warn", words)
    return RELIABLE.conclude("pass", f"Explanations add up to the change of score: {shown}.")
