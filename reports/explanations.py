"""How many explanations can be trusted; no words of any post."""

from __future__ import annotations

import pandas as pd

from reports.estimates import spread_estimate
from reports.results import RunResults
from reports.tables import Column, Table
from screening.metrics.intervals import estimate_proportion


def build_explanations(results: RunResults) -> Table | None:
    """Count reliable explanations per head; ``None`` where the run made none."""
    spans = results.explanations
    if spans is None or spans.empty:
        return None
    posts = spans.drop_duplicates(["post_id", "head"])
    rows = [_describe_head(str(head), part) for head, part in posts.groupby("head", sort=True)]
    columns = (
        Column("head", "Explained score"),
        Column("n_posts", "Explained posts", "count"),
        Column("reliable", "Reliable", "fraction", interval=True),
        Column("median_n_steps", "Median steps", "count"),
        Column("median_delta_relative", "Median error", "fraction"),
    )
    note = (
        "Explanations mark words the score depended on; they are not reasons. Reliable: integrated gradients add up to "
        "the change of score within 5%. Whether marked words matter more than random words was not measured here."
    )
    return Table("explanations", "Reliability of explanations", pd.DataFrame(rows), columns, "flagged posts", note)


def _describe_head(head: str, posts: pd.DataFrame) -> dict[str, object]:
    reliable = estimate_proportion(int(posts["is_reliable"].sum()), len(posts), split="flagged posts")
    return {
        "head": head,
        "n_posts": len(posts),
        "median_n_steps": float(posts["n_steps"].median()),
        "median_delta_relative": float(posts["delta_relative"].abs().median()),
    } | spread_estimate("reliable", reliable)
