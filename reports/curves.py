"""Recall, precision and alerts at every threshold, and how scores are spread, thinned to what a picture needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.results import RunResults, binarize_labels, extract_scores
from reports.tables import Column, Table
from screening.metrics.workload import compute_recall_alert_curve

if TYPE_CHECKING:
    from screening.taxonomy import RiskTarget

MAX_ROWS = 200
N_BINS = 40


def build_curve(results: RunResults) -> Table:
    """Tabulate recall, precision and alerts per 1,000 at up to 200 thresholds per target."""
    parts = []
    for target in results.targets:
        y_true = binarize_labels(results.test, target)
        curve = compute_recall_alert_curve(y_true, extract_scores(results.test, target), split="test")
        parts.append(thin_rows(curve).rename(columns={"value": "recall", "low": "recall_low", "high": "recall_high"}))
        parts[-1].insert(0, "target", target.name)
    columns = (
        Column("target", "Risk target"),
        Column("threshold", "Threshold", "score"),
        Column("recall", "Recall", "fraction", interval=True, n_key="n"),
        Column("precision", "Precision (PPV)", "fraction", n_key="n_flagged"),
        Column("alerts_per_1000", "Alerts per 1,000", "number", n_key="n_samples"),
    )
    note = (
        f"Up to {MAX_ROWS} of all distinct thresholds, evenly along the ranking. Exact 95% intervals hold for a "
        "threshold fixed in advance, not for one picked from this table."
    )
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Table("curve", "Recall, precision and alerts at every threshold", frame, columns, "test split", note)


def thin_rows(frame: pd.DataFrame, n_rows: int = MAX_ROWS) -> pd.DataFrame:
    """Keep the first row, the last row, and rows evenly between."""
    if len(frame) <= n_rows:
        return frame.reset_index(drop=True)
    return frame.iloc[np.linspace(0, len(frame) - 1, n_rows).round().astype(int)].reset_index(drop=True)


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
