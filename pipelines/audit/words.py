"""What the audit commands say: results as lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.audit.auditing import AuditOutcome
    from pipelines.audit.planning import Outlook
    from screening.audit.drift import DriftResult
    from screening.audit.plan import AuditPlan


def describe_outlook(outlook: Outlook) -> str:
    """Say what a run's test split leads to expect."""
    return (
        f"from the test split ({outlook.n_positive:,} positives): recall {outlook.recall:.1%}; at a prevalence of "
        f"{outlook.prevalence:.2%}, {outlook.n_flagged:,} posts flagged with a PPV of {outlook.ppv:.1%}"
    )


def describe_plan(done: AuditPlan) -> list[str]:
    """Write a plan as lines."""
    lines = [
        f"{done.n_unflagged:,} unflagged posts; {done.n_detected:,} positives expected in {done.n_flagged:,} flagged",
        f"recall is at least {done.target_recall:.3g} if no more than {done.n_allowed_misses:,} positives were missed; "
        f"to show that with {done.confidence_level:.3g} confidence:",
        f"misses found  unflagged posts to read  of them nearest  chance if recall is {done.expected_recall:.3g}",
    ]
    lines += [
        f"{size.n_misses_found:>12,}  {size.n_to_read:>23,}  {size.n_near:>15,}  {size.chance:>6.0%}"
        for size in done.sizes
    ]
    return [*lines, "choose the number before reading, and do not add posts because of what was found"]


def describe_outcome(done: AuditOutcome) -> list[str]:
    """Write an estimate as lines, the verdict last."""
    found, manifest = done.estimate, done.manifest
    lines = [
        f"{done.n_missed_found:,} positives in {done.n_unflagged_read:,} unflagged posts read; "
        f"{done.n_flagged_positive:,} in {manifest.flagged.n_sampled:,} flagged posts read of "
        f"{manifest.flagged.n_posts:,}",
    ]
    if found.n_missing:
        lines.append(
            f"{found.n_missing:,} sampled posts have no clear decision: each is taken as worst for recall, at the high "
            "end of the interval as best"
        )
    if manifest.unit == "author":
        lines.append("the promise counts authors, this audit posts: authors with many posts weigh more here than there")
    if done.n_outside:
        lines.append(f"{done.n_outside:,} decisions are on posts outside the sample and were not used")
    if found.recall.interval is not None and found.missed.interval is not None:
        low, high = found.recall.interval.low, found.recall.interval.high
        lines += [
            f"missed positives: about {found.missed.value:,.0f}, between {found.missed.interval.low:,.0f} and "
            f"{found.missed.interval.high:,.0f}",
            f"recall of {manifest.target}: {found.recall.value:.1%}, between {low:.1%} and {high:.1%} (each end with "
            f"{found.confidence_level:.0%} confidence; {found.recall.n_samples:,} positives read; promised "
            f"{found.target_recall:.1%})",
        ]
    return [*lines, describe_verdict(done)]


def describe_verdict(done: AuditOutcome) -> str:
    """Say in one sentence what the audit means for the promise, and the next step."""
    verdict = done.estimate.verdict
    if verdict == "contradicted":
        return (
            f"The promise for {done.manifest.target} is contradicted: recall lies below its target. Do not rely on it; "
            "label recent posts drawn at random, not the audit's, and promise anew (`screening recalibrate`)."
        )
    return {
        "confirmed": "The promise is confirmed for these posts; audit again next period or when drift is seen.",
        "consistent": (
            "The promise is neither confirmed nor contradicted: the interval holds its target. To say more, read more "
            "posts in a new audit (`screening audit plan`)."
        ),
        "unknown": "No positive was found, so nothing can be said about recall; audit a longer period.",
    }[verdict]


def describe_drift(done: DriftResult) -> list[str]:
    """Write every measure as a line, the state last."""
    first = done.measures[0]
    lines = [
        f"{first.n_current:,} new posts against {first.n_reference:,} reference posts",
        f"{'measure':<28} {'reference':>9} {'new':>9} {'PSI':>6} {'distance':>8} {'p':>8} {'never seen':>10}  state",
    ]
    lines += [
        f"{measure.name:<28} {measure.reference:>9.4g} {measure.current:>9.4g} {measure.psi:>6.2f} "
        f"{measure.distance:>8.2f} {measure.p_value:>8.2g} {measure.unseen_fraction:>10.2%}  {state}"
        for measure, state in zip(done.measures, done.states, strict=True)
    ]
    return [*lines, f"{done.state}: {done.sentence}"]
