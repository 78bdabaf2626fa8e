"""What a score does at every threshold, how it ranks posts, and how scores are spread; thinned for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.estimates import spread_estimate
from reports.results import RunResults, binarize_labels, extract_scores, once_per_run
from reports.tables import Column, Table
from screening.metrics.ranking import estimate_roc_area
from screening.metrics.workload import compute_recall_alert_curve

if TYPE_CHECKING:
    from screening.taxonomy import RiskTarget

MAX_ROWS = 200
N_BINS = 40


@once_per_run
def build_curve(results: RunResults) -> Table:
    """Tabulate recall, false alarms, precision and alerts per 1,000 at up to 200 thresholds per target."""
    parts = []
    for target in results.scored_targets:
        y_true, y_score = binarize_labels(results.test, target), extract_scores(results.test, target)
        curve = compute_recall_alert_curve(y_true, y_score, split="test", n_rows=MAX_ROWS)
        parts.append(curve.rename(columns={"value": "recall", "low": "recall_low", "high": "recall_high"}))
        parts[-1].insert(0, "target", target.name)
    columns = (
        Column("target", "Risk target"),
        Column("threshold", "Threshold", "score"),
        Column("recall", "Recall", "fraction", interval=True, n_key="n"),
        Column("false_alarm_rate", "False alarms", "fraction", interval=True, n_key="false_alarm_rate_n"),
        Column("precision", "Precision (PPV)", "fraction", n_key="n_flagged"),
        Column("alerts_per_1000", "Alerts per 1,000", "number", n_key="n_samples"),
    )
    note = (
        f"Up to {MAX_ROWS} of all distinct thresholds, evenly along the ranking. False alarms: share of other posts "
        "flagged (1 − specificity). Exact 95% intervals hold for a threshold fixed in advance, not for one picked from "
        "this table."
    )
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Table("curve", "Recall, false alarms and alerts at every threshold", frame, columns, "test split", note)


def build_ranking(results: RunResults) -> Table:
    """Say per target how often a post of the target scores above another post (area under the ROC curve)."""
    rows = []
    for target in results.scored_targets:
        y_true, y_score = binarize_labels(results.test, target), extract_scores(results.test, target)
        record: dict[str, object] = {"target": target.name, "n_positive": int(y_true.sum())}
        record["n_negative"] = len(y_true) - int(y_true.sum())
        rows.append(record | spread_estimate("roc_area", estimate_roc_area(y_true, y_score, split="test")))
    columns = (
        Column("target", "Risk target"),
        Column("roc_area", "Area under ROC", "score", interval=True),
        Column("n_positive", "Posts of the target", "count"),
        Column("n_negative", "Other posts", "count"),
    )
    note = (
        "How often a post of the target scores above another post; 0.5 is chance, 1 is a perfect order. It averages "
        "over thresholds nobody would use: read it beside the recall promise, not instead of it. DeLong 95% intervals."
    )
    return Table("ranking", "Order of posts by score", pd.DataFrame(rows), columns, "test split", note)


def build_histogram(results: RunResults, target: RiskTarget) -> pd.DataFrame:
    """Share of a target's posts and of other posts per score bin: ``low``, ``high``, ``positive``, ``negative``."""
    is_positive = binarize_labels(results.test, target)
    scores = extract_scores(results.test, target)
    edges = np.linspace(0, 1, N_BINS + 1)
    frame = pd.DataFrame({"low": edges[:-1], "high": edges[1:]})
    for name, chosen in (("positive", is_positive), ("negative", ~is_positive)):
        counts = np.histogram(np.clip(scores[chosen], 0, 1), edges)[0]
        frame[name] = counts / max(int(chosen.sum()), 1)
    return frame
