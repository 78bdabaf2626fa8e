"""Is flagging by score worth more than reading every post, or none: decision curves per risk target."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.figures.curves import plot_decision_curve
from reports.page import Section
from reports.results import RunResults, binarize_labels, extract_scores
from reports.tables import Column, Table
from screening.metrics.decision_curve import compute_decision_curve
from screening.metrics.workload import PER_POSTS

THRESHOLDS = np.arange(1, 51) / 100
SHOWN = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
QUANTITIES = {
    "net_benefit": "This screener",
    "net_benefit_all": "Read every post",
    "net_benefit_none": "Read none",
}


def build_decision_curve(results: RunResults) -> Table:
    """Compute net benefit per 1,000 posts at threshold probabilities from 1% to 50%, per target."""
    parts = [
        compute_decision_curve(
            binarize_labels(results.test, target),
            extract_scores(results.test, target).clip(0, 1),
            THRESHOLDS,
            split="test",
        ).assign(target=target.name)
        for target in results.scored_targets
    ]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if len(frame):
        frame["posts_per_case"] = (1 - frame["threshold_probability"]) / frame["threshold_probability"]
        for name in (*QUANTITIES, "net_benefit_low", "net_benefit_high"):
            frame[name] *= PER_POSTS
    return Table("decision_curve", "Net benefit at every threshold probability", frame, _make_columns(), "test split")


def choose_rows(curve: Table) -> Table:
    """Keep the threshold probabilities a reader looks for."""
    frame = curve.frame
    if len(frame):
        frame = frame[frame["threshold_probability"].round(4).isin(SHOWN)].reset_index(drop=True)
    note = (
        "Posts of the target found per 1,000 posts screened, less the posts read for nothing at the price in the third "
        "column; higher is better. 95% intervals by normal approximation. Scores are read as probabilities "
        "(temperature-scaled), and the share of such posts is this split's: at a lower share all net benefits "
        "are lower, and reading every post loses first."
    )
    return Table("decision", "Net benefit per 1,000 posts", frame, curve.columns, curve.split, note)


def build_decision_section(results: RunResults) -> Section | None:
    """Build decision curves, where there are posts to compute them from."""
    curve = build_decision_curve(results)
    if curve.frame.empty or curve.frame["net_benefit"].isna().all():
        return None
    words = (
        "A threshold probability says what reading is worth: at 10%, one post of the target found is worth nine posts "
        "read for nothing. Which one is right is for those who read and those who answer for it to decide. Shown are "
        "1% (99 for nothing) to 50% (one for one): below 1% nearly every post would be read, and above 50% a missed "
        "post would count less than one read for nothing. The screener is worth its trouble where its line is above "
        "both others.",
    )
    return Section(
        name="decision",
        title="Is it worth reading by score?",
        words=words,
        tables=(choose_rows(curve),),
        pictures=tuple(
            plot_decision_curve(part, str(target), "test split")
            for target, part in curve.frame.groupby("target", sort=False)
        ),
        folded=(curve,),
    )


def _make_columns() -> tuple[Column, ...]:
    return (
        Column("target", "Risk target"),
        Column("threshold_probability", "Threshold probability", "fraction"),
        Column("posts_per_case", "Posts for nothing worth one found", "number"),
        Column("net_benefit", QUANTITIES["net_benefit"], "number", interval=True, n_key="n"),
        Column("net_benefit_all", QUANTITIES["net_benefit_all"], "number"),
        Column("net_benefit_none", QUANTITIES["net_benefit_none"], "number"),
    )
