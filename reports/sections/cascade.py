"""The first stage of a cascade: what both stages find and cost together, beside the encoder alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.estimates import spread_estimate
from reports.figures.cascade import plot_cascade_curve
from reports.page import Section
from reports.results import (
    RunResults,
    binarize_labels,
    control_groups,
    extract_probabilities,
    extract_scores,
)
from reports.tables import Column, Table
from screening.metrics.intervals import estimate_proportion
from screening.metrics.operating import compute_operating_result
from screening.metrics.workload import compute_alert_rate
from screening.thresholds.cascade import compute_cascade_curve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from reports.results import CascadeResults
    from screening.taxonomy import RiskTarget, Taxonomy
    from screening.thresholds.operating_point import OperatingPoint

    ReadScores = Callable[[pd.DataFrame, RiskTarget], np.ndarray]

BOTH, ALONE = "cascade", "encoder alone"
MOST_LOST = 0.2  # where the curve ends: no promise leaves so much to lose


def build_cascade_section(results: RunResults) -> Section | None:
    """Build the comparison of the cascade with its encoder, where the run has one."""
    cascade = results.cascade
    if cascade is None:
        return None
    curve = build_cascade_curve(results, cascade)
    return Section(
        name="cascade",
        title="The cascade beside its encoder alone",
        words=tuple(_describe(cascade)),
        tables=(build_cascade_comparison(results, cascade), build_cascade_cost(results, cascade)),
        pictures=(plot_cascade_curve(curve.frame, [target.name for target in results.targets]),),
        folded=(curve,),
    )


def _describe(cascade: CascadeResults) -> Iterator[str]:
    card = cascade.card
    learnt, counted = (sum(part["n_posts"] for part in card[f"{side}_controls"]) for side in ("training", "counted"))
    yield (
        "A first stage of hashed words with a linear score clears a post, or lets the encoder read it. The promise is "
        "made for both together: a cleared post scores 0 and counts as missed if it is a positive, in calibration as "
        "everywhere on this page. In an evaluation the encoder reads cleared posts too, so that this section can say "
        "what is lost; only class probabilities show it."
    )
    yield (
        f"The first stage learnt from {card['n_training_posts']:,} training posts and {learnt:,} controls; the other "
        f"{counted:,} controls are those of this page. " + _describe_groups(card)
    )


def _describe_groups(card: dict[str, Any]) -> str:
    learnt = [group for part in card["training_controls"] for group in part["groups"]]
    if not learnt:
        return (
            "Both were drawn from the same posts at random: alerts and cost hold for a stream like the one the first "
            "stage learnt from, not for communities it has never seen."
        )
    counted = [group for part in card["counted_controls"] for group in part["groups"]]
    return (
        f"They come from other communities: it learnt from {', '.join(learnt)}; alerts and cost are counted on "
        f"{', '.join(counted)}. A first stage that learns from the stream it will run on clears more."
    )


def build_cascade_comparison(results: RunResults, cascade: CascadeResults) -> Table:
    """Compare recall, precision and alerts of the cascade and of its encoder alone, each with its own threshold."""
    alone = {point.name: point for point in cascade.encoder_points}
    rows = []
    for target in results.targets:
        own, encoder = results.point_by_target[target.name], alone[target.name]
        rows.append(_measure(results, target, BOTH, own, extract_scores))
        rows.append(_measure(results, target, ALONE, encoder, partial(_sum_probabilities, taxonomy=results.taxonomy)))
    columns = (
        Column("target", "Risk target"),
        Column("scorer", "Scorer"),
        Column("threshold", "Threshold", "score"),
        Column("recall", "Recall", "fraction", interval=True, n_key="recall_n"),
        Column("ppv", "PPV", "fraction", interval=True, n_key="ppv_n"),
        Column("alerts_per_1000", "Alerts per 1,000, test", "number", interval=True, n_key="alerts_per_1000_n"),
        Column("control_alerts", "Alerts per 1,000, controls", "number", interval=True, n_key="control_alerts_n"),
    )
    note = "Both thresholds keep the same promise and come from the same calibration posts. 95% intervals."
    title = "The same promise, with and without the first stage"
    return Table("cascade_comparison", title, pd.DataFrame(rows), columns, "test split and controls", note)


def _sum_probabilities(scores: pd.DataFrame, target: RiskTarget, taxonomy: Taxonomy) -> np.ndarray:
    """Compute what the encoder alone says of every post, read or cleared, shape (n,), in [0, 1]."""
    chosen = extract_probabilities(scores, taxonomy)[:, taxonomy.target_indices(target)]
    return np.minimum(chosen.sum(axis=1), 1.0)


def _measure(
    results: RunResults, target: RiskTarget, scorer: str, point: OperatingPoint, read_scores: ReadScores
) -> dict[str, object]:
    flags = point.flag(read_scores(results.test, target))
    result = compute_operating_result(binarize_labels(results.test, target), flags, split="test")
    record: dict[str, object] = {"target": target.name, "scorer": scorer, "threshold": point.threshold}
    record |= spread_estimate("recall", result.recall) | spread_estimate("ppv", result.ppv)
    record |= spread_estimate("alerts_per_1000", compute_alert_rate(flags, split="test"))
    if results.controls is not None and len(results.controls):
        on_controls = point.flag(read_scores(results.controls, target))
        record |= spread_estimate("control_alerts", compute_alert_rate(on_controls, split="controls"))
    return record


def build_cascade_cost(results: RunResults, cascade: CascadeResults) -> Table:
    """Count what the first stage clears of test posts and of each kind of control, and what that spares."""
    rows = [_count(cascade.speed, name, scores) for name, scores in _iterate_parts(results) if len(scores)]
    columns = (
        Column("posts", "Posts"),
        Column("n_posts", "Number", "count"),
        Column("cleared", "Cleared unread", "fraction", interval=True),
        Column("tokens_read", "Tokens the encoder reads", "fraction"),
        Column("seconds_per_1000", "Seconds per 1,000, cascade", "number"),
        Column("encoder_seconds_per_1000", "Seconds per 1,000, encoder alone", "number"),
    )
    note = (
        "Seconds as measured where this run was evaluated, the encoder's in proportion to the tokens it reads; another "
        "machine has others. Cleared positives count as missed wherever recall stands on this page."
    )
    title = "What the first stage clears, and what that spares"
    return Table("cascade_cost", title, pd.DataFrame(rows), columns, "test split and controls", note)


def _iterate_parts(results: RunResults) -> Iterator[tuple[str, pd.DataFrame]]:
    for target in results.targets:
        yield f"test: {target.name}", results.test[binarize_labels(results.test, target)]
    is_risk = np.logical_or.reduce([binarize_labels(results.test, target) for target in results.targets])
    yield "test: other posts", results.test[~is_risk]
    for kind, part in control_groups(results.controls):
        yield f"controls: {kind}", part


def _count(speed: dict[str, Any], name: str, scores: pd.DataFrame) -> dict[str, object]:
    is_cleared, n_tokens = scores["is_cleared"].to_numpy(dtype=bool), scores["n_tokens"].to_numpy()
    share_read = float(n_tokens[~is_cleared].sum() / max(n_tokens.sum(), 1))
    encoder = (
        1_000 * float(n_tokens.mean()) * speed["encoder_seconds"] / speed["n_encoder_tokens"] if len(scores) else 0
    )
    cleared = estimate_proportion(int(is_cleared.sum()), len(scores), split="test split and controls")
    return {
        "posts": name,
        "n_posts": len(scores),
        **spread_estimate("cleared", cleared),
        "tokens_read": share_read,
        "seconds_per_1000": 1_000 * speed["gate_seconds"] / speed["n_gate_posts"] + share_read * encoder,
        "encoder_seconds_per_1000": encoder,
    }


def build_cascade_curve(results: RunResults, cascade: CascadeResults) -> Table:
    """Tabulate what other gate thresholds would lose of held-out posts and clear of controls."""
    held_out, scores = cascade.held_out, cascade.gate_scores
    controls = scores[scores["split"] == "controls"]
    frame = compute_cascade_curve(
        held_out["gate_score"].to_numpy(),
        held_out["label"].to_numpy(),
        controls["gate_score"].to_numpy(),
        results.targets,
    )
    lost = [f"lost_{target.name}" for target in results.targets]
    kept = frame[frame[lost].max(axis=1) <= MOST_LOST].copy()
    kept["n_posts"], kept["n_controls"] = len(held_out), len(controls)
    chosen = float(cascade.card["threshold"]["threshold"])
    first = kept.loc[kept["threshold"] >= chosen, "threshold"].min()  # it lies a rounding error below a post
    kept["is_chosen"] = np.where(kept["threshold"] == first, "yes", "")
    columns = (
        Column("threshold", "Gate threshold", "signed"),
        *(Column(key, f"Lost: {key.removeprefix('lost_')}", "fraction") for key in lost),
        Column("cleared", "Controls cleared", "fraction"),
        Column("is_chosen", "Chosen"),
    )
    note = (
        f"Lost: share of the target's posts below the threshold, of {len(held_out):,} training and validation posts, "
        "each scored by a first stage that did not learn from it. Cleared: share of the "
        f"{len(controls):,} controls the first stage never saw. The rule is cascade.max_lost_fraction; what the "
        "encoder misses comes on top, so a threshold further along needs more calibration posts or keeps no promise."
    )
    split = "train and validation splits, controls"
    return Table("cascade_curve", "Other thresholds of the first stage", kept, columns, split, note)
