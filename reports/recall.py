"""What was promised, what was found on test, and what it costs: on the splits and at deployment prevalences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.estimates import spread_estimate
from reports.results import CONTROL_KIND, RunResults, binarize_labels, control_groups, extract_scores
from reports.tables import Column, Table
from screening.metrics.operating import OperatingResult, compute_operating_result, judge_promise
from screening.metrics.workload import compute_alert_rate, compute_deployment_table

if TYPE_CHECKING:
    from screening.taxonomy import RiskTarget

RATES = {"recall": "Recall found", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV"}


def flag_posts(results: RunResults, target: RiskTarget, scores: pd.DataFrame) -> np.ndarray:
    """Apply a target's operating point, shape (n,), bool."""
    return results.point_by_target[target.name].flag(extract_scores(scores, target))


def compute_result(results: RunResults, target: RiskTarget, scores: pd.DataFrame, split: str) -> OperatingResult:
    """Count flags of one target against labels; controls carry none of its labels by definition."""
    is_control = CONTROL_KIND in scores or "label" not in scores
    y_true = np.zeros(len(scores), dtype=bool) if is_control else binarize_labels(scores, target)
    return compute_operating_result(y_true, flag_posts(results, target, scores), split=split)


def build_performance(results: RunResults) -> Table:
    """Compare what was promised with what was found on the test split."""
    columns = (
        Column("target", "Risk target"),
        Column("target_recall", "Recall promised", "fraction"),
        *(Column(name, heading, "fraction", interval=True, n_key=f"{name}_n") for name, heading in RATES.items()),
        Column("alerts_per_1000", "Alerts per 1,000", "number", interval=True, n_key="n_samples"),
        Column("verdict", "The promise is"),
    )
    note = (
        "Exact (Clopper–Pearson) 95% intervals. PPV: of flagged posts, the share that carries the label. NPV: of "
        "unflagged posts, the share that does not. Both hold for this split's mix of labels only. The promise is "
        "confirmed if the whole interval of recall reaches it, consistent if the interval holds it, contradicted if "
        "the whole interval is below it."
    )
    frame = pd.DataFrame([_describe_target(results, target) for target in results.targets])
    return Table("performance", "Found on test", frame, columns, "test split", note)


def _describe_target(results: RunResults, target: RiskTarget) -> dict[str, object]:
    point = results.point_by_target[target.name]
    result = compute_result(results, target, results.test, "test")
    record: dict[str, object] = {"target": target.name, "target_recall": point.target_recall}
    record |= {key: value for key, value in result.model_dump().items() if key.startswith("n_")}
    for name in RATES:
        record |= spread_estimate(name, getattr(result, name))
    record |= spread_estimate(
        "alerts_per_1000", compute_alert_rate(flag_posts(results, target, results.test), split="test")
    )
    return record | {"verdict": judge_promise(result.recall, point.target_recall)}


def build_alerts(results: RunResults) -> Table:
    """Count alerts per 1,000 posts on test and on each kind of control."""
    parts = [("test", results.test)] + [(f"controls: {kind}", part) for kind, part in control_groups(results.controls)]
    rows = []
    for target in results.targets:
        for name, scores in parts:
            flags = flag_posts(results, target, scores)
            record: dict[str, object] = {"target": target.name, "posts": name, "n_flagged": int(flags.sum())}
            rows.append(record | spread_estimate("alerts_per_1000", compute_alert_rate(flags, split=name)))
    columns = (
        Column("target", "Risk target"),
        Column("posts", "Posts"),
        Column("n_flagged", "Flagged", "count"),
        Column("alerts_per_1000", "Alerts per 1,000", "number", interval=True, n_key="alerts_per_1000_n"),
    )
    note = "Controls come from outside the task's communities; every alert on them is counted as a false alarm."
    return Table("alerts", "Alerts per 1,000 posts", pd.DataFrame(rows), columns, "test split and controls", note)


def build_deployment(results: RunResults) -> Table:
    """Work out precision and reading effort at deployment prevalences, with test recall.

    Two rows per prevalence where there are controls: the other posts are like the test split's other posts, or like
    the controls.
    """
    parts = [_work_out(results, target) for target in results.targets]
    quantities = {
        "ppv": ("PPV", "fraction"),
        "alerts_per_1000": ("Alerts per 1,000", "number"),
        "posts_read_per_true_case": ("Posts read per true case", "number"),
        "missed_per_1000": ("Missed per 1,000", "number"),
        "reviewer_hours_per_1000": ("Reviewer hours per 1,000", "number"),
        "npv": ("NPV", "fraction"),
    }
    columns = (
        Column("target", "Risk target", n_key="n_positive"),
        Column("prevalence_words", "Prevalence"),
        Column("other_posts", "Other posts like", n_key="n_other_posts"),
        *(Column(name, heading, kind, interval=True) for name, (heading, kind) in quantities.items()),  # type: ignore[arg-type]  # kinds are literals
    )
    minutes = results.config.report.minutes_per_post
    note = (
        "Bayes' rule from test recall and from the false-alarm rate on the posts named, with "
        f"{minutes:g} reviewer minutes per flagged post. Intervals combine the worst corners of two 95% intervals. "
        "Positives and other posts may change in number but not in kind."
    )
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Table("deployment", "At deployment prevalences", frame, columns, "test split and controls", note)


def _work_out(results: RunResults, target: RiskTarget) -> pd.DataFrame:
    own = compute_result(results, target, results.test, "test")
    readings = {"test split": own}
    if results.controls is not None and len(results.controls):
        readings["controls"] = compute_result(results, target, results.controls, "controls")
    prevalences = sorted(set(results.config.report.prevalences))
    split_prevalence = own.n_positive / max(own.n_samples, 1)
    parts = []
    for name, negatives in readings.items():
        alarms = negatives.false_alarm_rate
        if own.recall.value is None or alarms.value is None:
            continue
        is_own = name == "test split" and 0 < split_prevalence < 1
        asked = [*prevalences, split_prevalence] if is_own else prevalences
        table = compute_deployment_table(
            own.recall.value, alarms.value, asked, results.config.report.minutes_per_post,
            recall_interval=own.recall.interval, false_alarm_interval=alarms.interval,
        )  # fmt: skip
        words = [f"{100 * share:.3g}%" for share in prevalences] + [f"{100 * split_prevalence:.1f}% (test split)"]
        table["prevalence_words"] = words[: len(asked)]
        counts = {"n_positive": own.n_positive, "n_other_posts": alarms.n_samples}
        parts.append(table.assign(target=target.name, other_posts=name, order=range(len(asked)), **counts))
    if not parts:
        return pd.DataFrame()
    together = pd.concat(parts).sort_values("order", kind="stable").drop(columns="order")
    first = ["target", "prevalence_words", "other_posts"]
    return together[[*first, *(column for column in together.columns if column not in first)]]
