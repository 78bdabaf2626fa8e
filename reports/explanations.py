"""How many explanations add up, and whether the words they name matter more than random words; no words of any post."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.estimates import spread_estimate
from reports.page import Section
from reports.tables import Column, Table
from screening.metrics.bootstrap import compute_resampled_interval
from screening.metrics.intervals import estimate_proportion
from screening.types import Estimate

if TYPE_CHECKING:
    from reports.results import RunResults

SPLIT = "flagged test posts"
KINDS = {"comprehensiveness": "Fall without them", "sufficiency": "Fall with them alone"}
SHARES = {"1": "1%", "5": "5%", "10": "10%", "20": "20%", "50": "50%", "aopc": "mean of the five"}
MAIN = "comprehensiveness_aopc"


def build_explanation_section(results: RunResults) -> Section | None:
    """Build reliability and faithfulness of explanations, where the run explained anything."""
    reliability, faithfulness = build_explanations(results), build_faithfulness(results)
    tables = tuple(table for table in (reliability, faithfulness) if table is not None)
    words = ("Marked words are words the score depended on. They are not reasons.",)
    return Section("explanations", "Words the score depended on", words, tables) if tables else None


def build_explanations(results: RunResults) -> Table | None:
    """Count reliable explanations per head; ``None`` where the run made none."""
    reliability = estimate_reliability(results)
    if not reliability or results.explanations is None:
        return None
    posts = dict(list(results.explanations.drop_duplicates(["post_id", "head"]).groupby("head")))
    rows = [_describe_head(head, posts[head], share) for head, share in reliability.items()]
    columns = (
        Column("head", "Explained score"),
        Column("n_posts", "Explained posts", "count"),
        Column("reliable", "Reliable", "fraction", interval=True),
        Column("median_n_steps", "Median steps", "count"),
        Column("median_delta_relative", "Median error", "fraction"),
    )
    note = "Reliable: integrated gradients add up to the change of score within 5%. Exact 95% intervals."
    if results.faithfulness is None:
        note += " Whether marked words matter more than random words was not measured here."
    return Table("explanations", "Reliability of explanations", pd.DataFrame(rows), columns, SPLIT, note)


def estimate_reliability(results: RunResults) -> dict[str, Estimate]:
    """Estimate the share of explained posts whose weights add up, by explained score; empty where none was made."""
    spans = results.explanations
    if spans is None or spans.empty:
        return {}
    posts = spans.drop_duplicates(["post_id", "head"])
    return {
        str(head): estimate_proportion(int(part["is_reliable"].sum()), len(part), split=SPLIT)
        for head, part in posts.groupby("head", sort=True)
    }


def build_faithfulness(results: RunResults) -> Table | None:
    """Set the fall of the score under masked words beside that under random words; ``None`` where not measured."""
    posts = results.faithfulness
    if posts is None or posts.empty:
        return None
    rows = []
    for share, words in SHARES.items():
        record: dict[str, object] = {"share": words}
        for kind in KINDS:
            name = f"{kind}_{share}"
            record |= spread_estimate(kind, _estimate_mean(results, posts[name]))
            record |= spread_estimate(f"{kind}_random", _estimate_mean(results, posts[f"{name}_random"]))
        gain = posts[f"comprehensiveness_{share}"] - posts[f"comprehensiveness_{share}_random"]
        rows.append(record | spread_estimate("gain", _estimate_mean(results, gain)))
    columns = (
        Column("share", "Share of words", n_key="gain_n"),
        *(
            Column(f"{kind}{suffix}", f"{heading}, {whose}", "signed", interval=True)
            for kind, heading in KINDS.items()
            for suffix, whose in (("", "marked"), ("_random", "random"))
        ),
        Column("gain", "Marked less random", "signed", interval=True),
    )
    return Table("faithfulness", "Marked words against random words", pd.DataFrame(rows), columns, SPLIT,
                 _write_note(posts))  # fmt: skip


def estimate_gain_over_random(results: RunResults) -> Estimate:
    """Estimate how much more masking marked words lowers the score than masking random words, over all shares.

    In the unit of the explained score (log-odds for a risk target); ``None`` without measured posts.
    """
    posts = results.faithfulness
    if posts is None or posts.empty:
        return Estimate(value=None, n_samples=0, split=SPLIT)
    return _estimate_mean(results, posts[MAIN] - posts[f"{MAIN}_random"])


def _estimate_mean(results: RunResults, values: pd.Series) -> Estimate:
    """Estimate a mean over posts with a percentile bootstrap interval (2,000 resamples, seeded)."""
    column = values.to_numpy(dtype=float)
    rng = np.random.default_rng(results.config.seed)
    interval = compute_resampled_interval(lambda part: float(part.mean()), column, rng=rng, n_repeats=2_000)
    return Estimate(value=float(column.mean()), interval=interval, n_samples=len(column), split=SPLIT)


def _write_note(posts: pd.DataFrame) -> str:
    n_draws = int(posts["n_draws"].max())
    return (
        "Fall of the explained score (log-odds for a risk target) when a share of words is masked. Without them: the "
        "marked words are masked; higher is better. With them alone: all other words are masked; lower is better. "
        f"Random: as many random words, mean of {n_draws} seeded draws. 95% percentile bootstrap intervals over "
        "posts. A drawn sample of the explained posts."
    )


def _describe_head(head: str, posts: pd.DataFrame, reliable: Estimate) -> dict[str, object]:
    return {
        "head": head,
        "n_posts": len(posts),
        "median_n_steps": float(posts["n_steps"].median()),
        "median_delta_relative": float(posts["delta_relative"].abs().median()),
    } | spread_estimate("reliable", reliable)
