"""What was promised, and what was found on the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports import intended_use
from reports.estimates import spread_estimate
from reports.figures.classifier import plot_scores
from reports.page import Section
from reports.results import CONTROL_KIND, RunResults, binarize_labels, extract_scores, once_per_run
from reports.sections.curves import build_histogram
from reports.sections.promised_recall import estimate_promised_recall, judge_target
from reports.sections.thresholds import build_operating_points
from reports.tables import Column, Table
from screening.metrics.operating import OperatingResult, compute_operating_result
from screening.metrics.workload import scale_alert_rate

if TYPE_CHECKING:
    from screening.taxonomy import RiskTarget

NO_PROMISE = (
    "This run has no operating point: nothing is flagged and nothing is promised. What follows about scores and "
    "probabilities holds all the same."
)
AUTHOR_RECALL = Column("author_recall", "Recall found, by author", "fraction", interval=True, n_key="author_recall_n")
AUTHOR_NOTE = (
    "By author: one positive post of each author with one is drawn by the run's seed; that is what is promised, and it "
    "alone judges the promise. Empty where the score table does not say which posts share an author: evaluate again. "
    "All other columns count posts."
)
RATES = {"recall": "Recall found", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV"}


def build_recall_section(results: RunResults) -> Section:
    """Build the promise and what was found."""
    assumptions = dict.fromkeys(sentence for point in results.operating_points for sentence in point.assumptions)
    return Section(
        name="recall",
        title="Recall: promised and found",
        words=describe_promises(results),
        tables=(build_operating_points(results), build_performance(results)),
        points=tuple(assumptions),
        points_heading="What the promise rests on",
        pictures=tuple(
            plot_scores(
                build_histogram(results, target),
                target.name,
                threshold=results.point_by_target[target.name].threshold,
                split="test split",
            )
            for target in results.targets
            if len(results.test)
        ),
    )


def describe_promises(results: RunResults) -> tuple[str, ...]:
    """Say in words what is promised, once per unit that a promise counts; or that nothing is."""
    units = dict.fromkeys(point.unit for point in results.operating_points)
    return tuple(intended_use.describe_promise(unit) for unit in units) or (NO_PROMISE,)


def flag_posts(results: RunResults, target: RiskTarget, scores: pd.DataFrame) -> np.ndarray:
    """Apply a target's operating point, shape (n,), bool."""
    return results.point_by_target[target.name].flag(extract_scores(scores, target))


def compute_result(results: RunResults, target: RiskTarget, scores: pd.DataFrame, split: str) -> OperatingResult:
    """Count flags of one target against labels; controls carry none of its labels by definition."""
    is_control = CONTROL_KIND in scores or "label" not in scores
    y_true = np.zeros(len(scores), dtype=bool) if is_control else binarize_labels(scores, target)
    return compute_operating_result(y_true, flag_posts(results, target, scores), split=split)


@once_per_run
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
    if "author_recall" in frame:
        columns = (*columns[:2], AUTHOR_RECALL, *columns[2:])
        note = f"{note} {AUTHOR_NOTE}"
    return Table("performance", "Found on test", frame, columns, "test split", note)


def _describe_target(results: RunResults, target: RiskTarget) -> dict[str, object]:
    point = results.point_by_target[target.name]
    result = compute_result(results, target, results.test, "test")
    record: dict[str, object] = {"target": target.name, "target_recall": point.target_recall}
    record |= {key: value for key, value in result.model_dump().items() if key.startswith("n_")}
    for name in RATES:
        record |= spread_estimate(name, getattr(result, name))
    record |= spread_estimate("alerts_per_1000", scale_alert_rate(result.alert_rate))
    if point.unit == "author":
        record |= spread_estimate("author_recall", estimate_promised_recall(results, target, results.test, "test"))
    return record | {"verdict": judge_target(results, target, results.test, "test")}
