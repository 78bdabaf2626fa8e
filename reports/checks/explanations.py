"""Checks of explanations: do weights add up, do marked words matter more than random ones, does the model matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.check import Check, CheckKind
from reports.sections.explained_posts import ALL, count_explained_posts
from reports.sections.explanation_estimates import estimate_explanations, estimate_reliability
from reports.sections.explanations import collect_tables

if TYPE_CHECKING:
    from reports.results import RunResults
    from screening.types import Estimate

FAITHFUL = CheckKind(code="SCR011", title="Explanations beat random words", severity="major")
RELIABLE = CheckKind(code="SCR015", title="Explanations add up", severity="minor")
LEARNED = CheckKind(code="SCR019", title="Explanations come from what was learned", severity="major")
MIN_RELIABLE = 0.95
MAX_RANDOM_CORRELATION = 0.5
EXPLAIN = "screening explain RUN"


def check_faithfulness(results: RunResults) -> Check:
    """SCR011: masking the words an explanation names lowers the score more than masking random words.

    Passes if the whole interval of the mean gain over random words lies above 0, and marked words alone keep more of
    the score than random words alone (their whole interval below 0); warns if only the first holds.
    """
    tables = collect_tables(results)
    if "faithfulness" not in tables:
        return FAITHFUL.conclude("not_measured", f"Not measured: {EXPLAIN} masks words and scores again.")
    found = estimate_explanations(tables)
    without, alone = found["comprehensiveness_gain"], found["sufficiency_gain"]
    if without.interval is None or alone.interval is None:
        return FAITHFUL.conclude("not_measured", f"Measured on {without.n_samples:,} posts, too few for an interval.")
    words = f"{_write(without)}; {_count_posts(without, results)})"
    if without.interval.low <= 0:
        return FAITHFUL.conclude("fail", f"Marked words matter no more than random words: the gain is {words}.")
    passed = f"Marked words lower the score more than random words do, by {words}"
    if alone.interval.high >= 0:
        return FAITHFUL.conclude("warn", f"{passed}, but alone they keep no more of it: {_write(alone)}).")
    return FAITHFUL.conclude("pass", f"{passed}; alone they keep more of it.")


def check_reliability(results: RunResults) -> Check:
    """SCR015: at least 95 % of explanations add up to the change of score."""
    spans = results.explanations
    if spans is None or spans.empty:
        return RELIABLE.conclude("not_measured", f"No flagged post was explained: {EXPLAIN}.")
    parts = estimate_reliability(spans)
    low = {head: share for head, share in parts.items() if share.value is not None and share.value < MIN_RELIABLE}
    known = [(head, share) for head, share in (low or parts).items() if share.value is not None]
    shown = "; ".join(f"{head} {share.value:.1%} of {share.n_samples:,}" for head, share in known)
    if low:
        words = f"Fewer than {MIN_RELIABLE:.0%} of explanations add up to the change of score: {shown}."
        return RELIABLE.conclude("warn", words)
    return RELIABLE.conclude("pass", f"Explanations add up to the change of score: {shown}.")


def check_random_models(results: RunResults) -> Check:
    """SCR019: with random weights, explanations order words differently (rank correlation surely below a half)."""
    found = estimate_explanations(collect_tables(results)).get("random_everything_rank_correlation")
    if found is None:
        return LEARNED.conclude("not_measured", f"Not measured: {EXPLAIN} explains with random weights too.")
    if found.interval is None:
        return LEARNED.conclude("not_measured", f"Measured on {found.n_samples:,} posts, of too few random models.")
    words = f"rank correlation {_write(found)}; {_count_posts(found, results)})"
    if found.interval.high < MAX_RANDOM_CORRELATION:
        return LEARNED.conclude("pass", f"A model with random weights puts words in another order: {words}.")
    return LEARNED.conclude("fail", f"A model with random weights puts words in much the same order: {words}.")


def _write(found: Estimate) -> str:
    """Write a value with its interval, the bracket left open for the n."""
    if found.value is None or found.interval is None:
        message = "expected an estimate with an interval, found one without"
        raise ValueError(message)
    bounds = f"{found.interval.low:+.2f} to {found.interval.high:+.2f}"
    return f"{found.value:+.2f} (95% interval {bounds}".replace("-", "\u2212")


def _count_posts(found: Estimate, results: RunResults) -> str:
    """Say how many posts were measured, and which they were drawn from if not all flagged ones were explained."""
    posts = count_explained_posts(results)
    return f"{found.n_samples:,} {f'of {posts.name}' if posts is not None and posts.is_part else ALL}"
