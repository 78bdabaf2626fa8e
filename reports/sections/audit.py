"""How to check recall after deployment: how many posts to read, with which commands, and when to stop trusting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.page import Section
from reports.sections.cost import build_deployment
from reports.sections.recall import build_performance
from reports.tables import Column, Table
from screening.audit.plan import AuditPlan, compute_allowed_misses, compute_required_reading, plan_audit
from screening.audit.sampling import NEAR_SHARE

if TYPE_CHECKING:
    from reports.results import RunResults

PERIOD, LONG_PERIOD = 10_000, 1_000_000
VOID = (
    "The posts changed in kind: another platform, topic, language or length, a change of cleaning or of the sign-up "
    "rules. Prevalence may change; what positive posts look like may not.",
    "The model, its bundle, the precision or the threshold is another one than here: scores of another model version "
    "are refused.",
    "An audit contradicts it: the whole interval of recall lies below the promise (exit code 3).",
    "A drift check says broken: more posts than the promise allows to miss are of a kind that calibration never saw "
    "(exit code 3). Drift alone is a reason to audit; it proves nothing about recall.",
)


def build_audit_section(results: RunResults) -> Section | None:
    """Build the audit plan, where there is a promise and a test recall to plan from."""
    table = build_audit_plan(results)
    if table.frame.empty:
        return None
    return Section(
        name="audit",
        title="Checking recall after deployment",
        words=(
            "After deployment only flagged posts are read, so a missed post is seen by nobody: recall can only be "
            "estimated, from a random sample of unflagged posts that people read as well. Rare positives make this "
            f"expensive: {PERIOD:,} posts hold so few that hardly a miss is allowed, and a large part must be read to "
            "show that there are no more. Over longer periods the number to read levels off (last column).",
            *_list_commands(results),
        ),
        tables=(table,),
        points=VOID,
        points_heading="What makes the promise void",
    )


def _list_commands(results: RunResults) -> tuple[str, ...]:
    run, target = results.config.run_dir, results.targets[0].name
    commands = (
        f"screening score POSTS --bundle {run}/bundle --out SCORES",
        f"screening audit drift SCORES --run {run}",
        f"screening audit plan --posts N --run {run} --target {target} --prevalence P (or --flagged and --ppv)",
        f"screening audit sample SCORES --run {run} --target {target} --n N --out SAMPLE",
        "screening audit estimate SAMPLE --decisions FILE --flagged-decisions FILE",
    )
    return tuple(f"{number}. {command}" for number, command in enumerate(commands, start=1))


def build_audit_plan(results: RunResults) -> Table:
    """Work out how many unflagged posts show the promise, at every deployment prevalence."""
    recall = build_performance(results).frame
    recalls = dict(zip(recall["target"], recall["recall"], strict=True)) if len(recall) else {}
    rows = [
        _plan_row(results, row, float(recalls[row["target"]]))
        for row in build_deployment(results).frame.to_dict("records")
    ]
    columns = (
        Column("target", "Risk target", n_key="n_positive"),
        Column("prevalence_words", "Prevalence"),
        Column("other_posts", "Other posts like"),
        Column("n_flagged", f"Flagged of {PERIOD:,}", "count"),
        Column("n_detected", "Of them positive", "count"),
        Column("n_allowed_misses", "Misses allowed", "count"),
        Column("n_to_read", "Unflagged to read, none found", "count", share_key="fraction_to_read"),
        Column("hours_to_read", "Hours", "number"),
        Column("n_to_read_likely", "To read for an 80% chance", "count"),
        Column("n_misses_found", "Misses it may find", "count"),
        Column("n_to_read_long", f"Of {LONG_PERIOD:,} posts, none found", "count"),
    )
    note = (
        "Exact (hypergeometric), for the recall and confidence of the operating point. Alerts, PPV and the chance are "
        "worked out from test recall and false alarms; your own figures replace them as soon as there are any. A tenth "
        "of the reading goes to the unflagged posts nearest to the threshold, the rest is drawn at random. A dash: no "
        "positive is expected, every post is flagged, or no reading gives that chance."
    )
    return Table("audit_plan", "Posts to read", pd.DataFrame(rows), columns, "test split and controls", note)


def _plan_row(results: RunResults, row: dict[Any, Any], recall: float) -> dict[str, Any]:
    """Plan one row of the deployment table; what cannot be planned is ``None``."""
    facts = {key: row[key] for key in ("target", "prevalence", "prevalence_words", "other_posts", "n_positive")}
    plan = _plan(results, row, recall, PERIOD)
    planned = {
        "n_to_read_long": _plan_first_reading(results, row, recall, LONG_PERIOD),
        "n_flagged": round(PERIOD * row["alerts_per_1000"] / 1000),
    }
    if plan is None:
        return facts | planned
    first, last = plan.sizes[0], plan.sizes[-1]
    likely = last if last.chance >= 0.8 else None
    return (
        facts
        | planned
        | {
            "n_detected": plan.n_detected,
            "n_allowed_misses": plan.n_allowed_misses,
            "n_to_read": first.n_to_read,
            "fraction_to_read": first.n_to_read / plan.n_unflagged,
            "hours_to_read": first.n_to_read * results.config.report.minutes_per_post / 60,
            "chance": first.chance,
            "n_to_read_likely": likely.n_to_read if likely else None,
            "n_misses_found": likely.n_misses_found if likely else None,
        }
    )


def _plan_first_reading(results: RunResults, row: dict[Any, Any], recall: float, n_posts: int) -> int | None:
    """Count the posts to read if no miss is found; the rest of a long period's plan takes minutes and is not shown."""
    point = results.point_by_target[row["target"]]
    n_flagged = round(n_posts * row["alerts_per_1000"] / 1000)
    if not (0 < n_flagged < n_posts and recall > 0 and n_flagged * row["ppv"] >= 1):
        return None
    n_allowed = compute_allowed_misses(math.floor(n_flagged * row["ppv"] + 1e-9), point.target_recall)
    return compute_required_reading(
        n_posts - n_flagged, n_allowed, 0, confidence_level=point.confidence_level, near_share=NEAR_SHARE
    )


def _plan(results: RunResults, row: dict[Any, Any], recall: float, n_posts: int) -> AuditPlan | None:
    point = results.point_by_target[row["target"]]
    n_flagged = round(n_posts * row["alerts_per_1000"] / 1000)
    if not (0 < n_flagged < n_posts and recall > 0 and n_flagged * row["ppv"] >= 1):
        return None
    return plan_audit(
        n_posts,
        n_flagged,
        row["ppv"],
        target_recall=point.target_recall,
        confidence_level=point.confidence_level,
        expected_recall=recall,
    )
