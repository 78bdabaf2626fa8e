"""Whether probabilities mean what they say, before and after temperature scaling."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from reports.estimates import spread_estimate
from reports.figures.classifier import plot_reliability
from reports.page import Section
from reports.results import (
    RunResults,
    binarize_labels,
    encode_labels,
    extract_probabilities,
    extract_scores,
    mark_read,
    once_per_run,
)
from reports.tables import Column, Table
from screening.calibration.temperature import TemperatureScaling
from screening.metrics.calibration import (
    N_BINS,
    compute_calibration_error,
    compute_chance_calibration_error,
    compute_reliability_table,
    compute_top_label,
    estimate_brier_score,
)
from screening.metrics.calibration_slope import compute_calibration_slope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.taxonomy import RiskTarget

Probabilities = npt.NDArray[np.float64]
MAX_ECE_RISE = 0.01
SMALLEST = np.finfo(np.float64).tiny


def build_calibration_section(results: RunResults) -> Section:
    """Build calibration before and after temperature scaling."""
    reliability = build_reliability(results)
    return Section(
        name="calibration",
        title="Do probabilities mean what they say?",
        words=(
            "The recall promise does not need calibrated probabilities; people who read a probability do. "
            "Temperature was fitted on the validation split and is judged here on posts it has not seen.",
        ),
        tables=(build_calibration_summary(results), build_calibration_slopes(results)),
        pictures=(plot_reliability(reliability.frame, "test split"),) if len(reliability.frame) else (),
        folded=(reliability,),
    )


def keep_read_posts(results: RunResults) -> RunResults:
    """Leave out test posts that a first stage cleared: the 0 they score is a definition, not a probability."""
    is_read = mark_read(results.test)
    if is_read.all():
        return results
    return dataclasses.replace(results, test=results.test[is_read].reset_index(drop=True))


def describe_cleared(scores: pd.DataFrame, targets: Sequence[RiskTarget], where: str) -> str:
    """Say how many posts and positives a first stage cleared, to end a note with; empty where it cleared none."""
    is_cleared = ~mark_read(scores)
    if not is_cleared.any():
        return ""
    positives = {target.name: binarize_labels(scores, target) for target in targets}
    counts = ", ".join(f"{(is_cleared & y).sum():,} of {y.sum():,} of {name}" for name, y in positives.items())
    return (
        f" Only posts that were read have a probability: the first stage cleared {is_cleared.sum():,} of "
        f"{len(scores):,} {where} ({counts}). They are left out of what this table says of probabilities; cleared "
        "positives count as missed wherever recall stands."
    )


def compute_unscaled_probabilities(results: RunResults) -> Probabilities:
    """Undo temperature scaling on test, shape (n, n_classes).

    Notes
    -----
    ``softmax(log(p) * T)`` gives back ``softmax(logits)`` where ``p = softmax(logits / T)``: the logits themselves are
    not kept for test posts. Probabilities of exactly 0 are taken as the smallest positive number.
    """
    probabilities = extract_probabilities(results.test, results.taxonomy)
    if results.temperature is None:
        return probabilities
    inverse = TemperatureScaling(temperature=1 / results.temperature.temperature, n_samples=0)
    return inverse.compute_probabilities(np.log(probabilities.clip(min=SMALLEST)))


@once_per_run
def build_calibration_summary(results: RunResults) -> Table:
    """Set Brier score and calibration error before and after temperature scaling side by side."""
    cleared = describe_cleared(results.test, results.scored_targets, "test posts")
    results = keep_read_posts(results)
    after = extract_probabilities(results.test, results.taxonomy)
    before = compute_unscaled_probabilities(results)
    rows = [_compare_classes(results, before, after)]
    for target in results.scored_targets:
        is_positive = binarize_labels(results.test, target)
        record: dict[str, object] = {"score": f"risk {target.name}", "n_samples": len(after)}
        for when, matrix in (("before", before), ("after", after)):
            probability = _sum_classes(results, target, matrix)
            record |= spread_estimate(f"brier_{when}", estimate_brier_score(is_positive, probability, split="test"))
            record[f"ece_{when}"] = compute_calibration_error(is_positive, probability)
        rows.append(record | {"ece_floor": _compute_floor(results, _sum_classes(results, target, after))})
    columns = (
        Column("score", "Score"),
        Column("n_samples", "n", "count"),
        Column("brier_before", "Brier before", "score", interval=True),
        Column("brier_after", "Brier after", "score", interval=True),
        Column("ece_before", "ECE before", "score"),
        Column("ece_after", "ECE after", "score"),
        Column("ece_floor", "ECE by chance, up to", "score"),
    )
    note = (
        "Lower is better. Before and after: temperature scaling. ECE: mean distance between probability and observed "
        f"share over {N_BINS} bins of equal size. By chance: a perfectly calibrated screener stays below this in 95% "
        "of samples of this size. Brier is 0 to 2 over classes, 0 to 1 for a risk score; 95% Student intervals over "
        "posts." + cleared
    )
    return Table("calibration", "Brier score and calibration error", pd.DataFrame(rows), columns, "test split", note)


def build_calibration_slopes(results: RunResults) -> Table:
    """Set calibration slope and intercept of every risk score before and after temperature scaling side by side."""
    cleared = describe_cleared(results.test, results.scored_targets, "test posts")
    results = keep_read_posts(results)
    after = extract_probabilities(results.test, results.taxonomy)
    rows = []
    for when, matrix in (("before", compute_unscaled_probabilities(results)), ("after", after)):
        for target in results.scored_targets:
            y_true = binarize_labels(results.test, target)
            found = compute_calibration_slope(y_true, _sum_classes(results, target, matrix), split="test")
            record: dict[str, object] = {"score": f"risk {target.name}", "when": f"{when} temperature scaling"}
            record |= spread_estimate("slope", found.slope) | spread_estimate("intercept", found.intercept)
            rows.append(record | {"n_samples": y_true.size, "n_positive": int(y_true.sum())})
    columns = (
        Column("score", "Score"),
        Column("when", "When"),
        Column("slope", "Slope", "ratio", interval=True),
        Column("intercept", "Intercept", "signed", interval=True),
        Column("n_positive", "Positives", "count", n_key="n_samples"),
    )
    note = (
        "Slope: 1 is ideal; below 1 scores are too near 0 and 1, above 1 too near the middle. Intercept (calibration "
        "in the large, in log-odds): 0 is ideal; below 0 scores are too high overall, above 0 too low. 95% Wald "
        "intervals; a dash where the estimate does not exist." + cleared
    )
    rows.sort(key=lambda row: str(row["score"]))
    return Table(
        "calibration_slope", "Calibration slope and intercept", pd.DataFrame(rows), columns, "test split", note
    )


def _sum_classes(results: RunResults, target: RiskTarget, matrix: Probabilities) -> Probabilities:
    """Sum the probabilities of a target's labels, shape (n,)."""
    total: Probabilities = matrix[:, results.taxonomy.target_indices(target)].sum(axis=1).clip(0, 1)
    return total


def _compare_classes(results: RunResults, before: Probabilities, after: Probabilities) -> dict[str, object]:
    """Brier score over all classes; calibration error of the most probable class."""
    y_true = encode_labels(results.test, results.taxonomy)
    record: dict[str, object] = {"score": "most probable class", "n_samples": len(after)}
    for when, matrix in (("before", before), ("after", after)):
        record |= spread_estimate(f"brier_{when}", estimate_brier_score(y_true, matrix, split="test"))
        record[f"ece_{when}"] = compute_calibration_error(*compute_top_label(y_true, matrix))
    return record | {"ece_floor": _compute_floor(results, after.max(axis=1))}


def _compute_floor(results: RunResults, probability: Probabilities) -> float:
    return compute_chance_calibration_error(probability, rng=np.random.default_rng(results.config.seed), n_repeats=200)


def build_reliability(results: RunResults) -> Table:
    """Compare the mean risk score with the share of positives, in bins of equal numbers of posts."""
    cleared = describe_cleared(results.test, results.scored_targets, "test posts")
    results = keep_read_posts(results)
    parts = []
    for target in results.scored_targets:
        scores = extract_scores(results.test, target).clip(0, 1)
        part = compute_reliability_table(binarize_labels(results.test, target), scores, split="test")
        names = {"mean_prob": "mean_score", "value": "observed", "low": "observed_low", "high": "observed_high"}
        parts.append(part.rename(columns=names).assign(target=target.name))
    columns = (
        Column("target", "Risk target"),
        Column("mean_score", "Mean risk score", "score"),
        Column("observed", "Share of positives", "fraction", interval=True, n_key="n"),
    )
    note = "Ten bins of about equal numbers of posts. Exact 95% intervals." + cleared
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Table("reliability", "Risk score against share of positives", frame, columns, "test split", note)
