"""The tables of a comparison of two runs: promises, what was found, alerts, ranking and probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.comparison.run_pair import CHALLENGER, CHAMPION, keep_posts_both_read
from reports.estimates import spread_estimate
from reports.results import binarize_labels, encode_labels, extract_probabilities, extract_scores, predict_labels
from reports.sections.calibration import describe_cleared
from reports.sections.promised_recall import judge_target
from reports.sections.recall import flag_posts
from reports.tables import Column, Table
from screening.metrics.bootstrap import compute_paired_difference, compute_resampled_interval
from screening.metrics.calibration import compute_binary_brier_score, compute_brier_score, compute_calibration_error
from screening.metrics.confusion import LABEL_METRICS, compute_confusion_matrix
from screening.metrics.paired import compare_recall_paired
from screening.metrics.ranking import compute_average_precision
from screening.metrics.workload import compute_alert_rate
from screening.types import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reports.comparison.run_pair import RunPair
    from reports.tables import Kind
    from screening.taxonomy import RiskTarget

BOOTSTRAP = "percentile bootstrap over posts (seeded)"


def build_promises(pair: RunPair) -> Table:
    """Set the promises side by side with what the test split says about each."""
    rows = []
    for target in pair.targets:
        for name, run, found in zip(
            (CHAMPION, CHALLENGER), (pair.champion, pair.challenger), pair.find_results(target), strict=True
        ):
            point = run.point_by_target[target.name]
            record: dict[str, object] = {"target": target.name, "run": f"{name}: {run.config.name}", "unit": point.unit}
            record |= {key: getattr(point, key) for key in ("target_recall", "confidence_each", "threshold")}
            record |= {"n_positive": point.n_positive, "n_samples": point.n_samples}
            record |= spread_estimate("recall", found.recall)
            rows.append(record | {"verdict": judge_target(run, target, run.test, "test")})
    columns = (
        Column("target", "Risk target"),
        Column("run", "Run"),
        Column("target_recall", "Recall promised", "fraction"),
        Column("confidence_each", "With confidence", "fraction"),
        Column("n_positive", "Calibration positives", "count", n_key="n_samples"),
        Column("threshold", "Threshold", "score"),
        Column("recall", "Recall found", "fraction", interval=True, n_key="recall_n"),
        Column("verdict", "The promise is"),
    )
    note = "Each run at its own threshold. Exact 95% intervals. A promise by author is judged by one post of each."
    return Table("promises", "Promised and found", pd.DataFrame(rows), columns, "calibration and test splits", note)


def build_rates(pair: RunPair) -> Table:
    """Compare recall, PPV and specificity at each run's own threshold."""
    rows = []
    for target in pair.targets:
        first, second = pair.find_results(target)
        y_true, champion, challenger = pair.flag(target)
        passed = compare_recall_paired(~y_true, ~challenger, ~champion, split="test")
        recall = pair.compare_recall(target)
        for words, name, difference, p_value in (
            ("Recall", "recall", recall.difference, recall.p_value),
            ("PPV", "ppv", pair.compare_precision(target), None),
            ("Specificity", "specificity", passed.difference, passed.p_value),
        ):
            record: dict[str, object] = {"target": target.name, "quantity": words, "p_value": p_value}
            record |= _spread(getattr(first, name), getattr(second, name), difference)
            rows.append(record)
    note = (
        "Challenger less champion on the same posts; above 0 the challenger is better. Intervals: exact for each run; "
        f"Tango's score interval for paired differences of recall and specificity, {BOOTSTRAP} for PPV. p: exact "
        "McNemar."
    )
    columns = (*_make_columns("fraction", "percent_points"), Column("p_value", "McNemar p", "p_value"))
    return Table("rates", "At the promised thresholds", pd.DataFrame(rows), columns, "test split", note)


def build_alert_differences(pair: RunPair) -> Table:
    """Compare alerts per 1,000 posts on test, on other test posts, and on each kind of controls."""
    rows = [
        {"target": target.name, "quantity": words} | _spread(*rates, difference)
        for target in pair.targets
        for words, rates, difference in _iterate_alerts(pair, target)
    ]
    note = (
        "Challenger less champion on the same posts; below 0 the challenger asks for less reading. Exact intervals for "
        "each run, Tango's score interval for the difference. Alerts on test posts include posts rightly flagged."
        + pair.describe_controls()
    )
    return Table("alert_differences", "Alerts per 1,000 posts", pd.DataFrame(rows), _make_columns("number", "signed"),
                 "test split and controls", note)  # fmt: skip


def _iterate_alerts(pair: RunPair, target: RiskTarget) -> Iterator[tuple[str, tuple[Estimate, Estimate], Estimate]]:
    y_true, *flags = pair.flag(target)
    yield "all test posts", _rate(*flags), pair.compare_alerts(target)
    others = _rate(*(flagged[~y_true] for flagged in flags))
    yield "test posts without the label", others, pair.compare_alerts(target, only_false=True)
    for kind, tables in pair.control_kinds.items():
        runs = (pair.champion, pair.challenger)
        rates = _rate(*(flag_posts(run, target, table) for run, table in zip(runs, tables, strict=True)))
        yield f"controls: {kind}", rates, pair.compare_control_alerts(target, kind)


def _rate(champion: np.ndarray, challenger: np.ndarray) -> tuple[Estimate, Estimate]:
    return compute_alert_rate(champion, split="test"), compute_alert_rate(challenger, split="test")


def build_ranking(pair: RunPair) -> Table:
    """Compare what does not depend on a threshold and is better when higher: average precision and macro F1."""
    rows = []
    for target in pair.targets:
        y_true = binarize_labels(pair.champion.test, target)
        scores = [extract_scores(run.test, target) for run in (pair.champion, pair.challenger)]
        record = {"target": target.name, "quantity": "Average precision"}
        rows.append(record | _resample(pair, compute_average_precision, y_true, *scores))
    return Table(
        "ranking", "Ranking and classes", pd.DataFrame([*rows, _compare_macro_f1(pair)]),
        _make_columns("fraction", "percent_points"), "test split",
        f"Challenger less champion on the same posts; above 0 the challenger is better. Intervals: {BOOTSTRAP}.",
    )  # fmt: skip


def _compare_macro_f1(pair: RunPair) -> dict[str, object]:
    runs, n_classes = (pair.champion, pair.challenger), len(pair.champion.taxonomy.names)
    y_true = encode_labels(pair.champion.test, pair.champion.taxonomy)
    predicted = [predict_labels(run.test, run.taxonomy) for run in runs]
    values = [
        float(LABEL_METRICS["macro_f1"](compute_confusion_matrix(y_true, y_pred, n_classes=n_classes)))
        for y_pred in predicted
    ]
    difference = compute_paired_difference(
        y_true, (predicted[1], predicted[0]), n_classes=n_classes, metric="macro_f1", split="test", rng=_make_rng(pair)
    )
    record: dict[str, object] = {"target": "all classes", "quantity": "Macro F1"}
    record |= {CHAMPION: values[0], CHALLENGER: values[1]}
    return record | spread_estimate("difference", difference)


def build_probabilities(pair: RunPair) -> Table:
    """Compare what is better when lower: Brier score and calibration error, on posts that both runs read."""
    left_out = _describe_cleared(pair)
    pair = keep_posts_both_read(pair)
    runs = (pair.champion, pair.challenger)
    y_true = encode_labels(pair.champion.test, pair.champion.taxonomy)
    matrices = [extract_probabilities(run.test, run.taxonomy) for run in runs]
    whole = {"target": "all classes", "quantity": "Brier score"}
    rows = [whole | _resample(pair, compute_brier_score, y_true, *matrices)]
    for target in pair.targets:
        positives = binarize_labels(pair.champion.test, target)
        risks = [extract_scores(run.test, target).clip(0, 1) for run in runs]
        for words, compute in (("Brier score", compute_binary_brier_score), ("ECE", compute_calibration_error)):
            record = {"target": target.name, "quantity": words}
            rows.append(record | _resample(pair, compute, positives, *risks))
    note = (
        "Challenger less champion on the same posts; below 0 the challenger is better. Brier is 0 to 2 over classes, 0 "
        f"to 1 for a risk score. Intervals: {BOOTSTRAP}." + left_out
    )
    return Table("probabilities", "Probabilities", pd.DataFrame(rows), _make_columns("score", "score"), "test split",
                 note)  # fmt: skip


def _describe_cleared(pair: RunPair) -> str:
    runs = {CHAMPION: pair.champion, CHALLENGER: pair.challenger}
    sentences = (describe_cleared(run.test, pair.targets, f"test posts in the {name}") for name, run in runs.items())
    return "".join(sentences)


def _resample(
    pair: RunPair, compute: Callable[..., float], y_true: np.ndarray, champion: np.ndarray, challenger: np.ndarray
) -> dict[str, object]:
    """Give a metric of both runs and the paired bootstrap interval of its difference."""
    first, second = compute(y_true, champion), compute(y_true, challenger)
    interval = compute_resampled_interval(
        lambda true, a, b: compute(true, b) - compute(true, a), y_true, champion, challenger, rng=_make_rng(pair)
    )
    value = None if np.isnan(second - first) else second - first
    estimate = Estimate(value=value, interval=interval if value is not None else None, n_samples=len(y_true),
                        split="test")  # fmt: skip
    return {CHAMPION: first, CHALLENGER: second, **spread_estimate("difference", estimate)}


def _make_rng(pair: RunPair) -> np.random.Generator:
    """Start the same stream for every interval, so that none depends on which others are computed."""
    return np.random.default_rng(pair.champion.config.seed)


def _spread(champion: Estimate, challenger: Estimate, difference: Estimate) -> dict[str, object]:
    return {
        **spread_estimate(CHAMPION, champion),
        **spread_estimate(CHALLENGER, challenger),
        **spread_estimate("difference", difference),
    }


def _make_columns(value_kind: Kind, difference_kind: Kind) -> tuple[Column, ...]:
    points = ", points" if difference_kind == "percent_points" else ""
    return (
        Column("target", "Risk target"),
        Column("quantity", "What"),
        Column(CHAMPION, "Champion", value_kind, interval=True),
        Column(CHALLENGER, "Challenger", value_kind, interval=True),
        Column("difference", f"Difference{points}", difference_kind, interval=True, n_key="difference_n"),
    )


def build_tables(pair: RunPair) -> tuple[Table, ...]:
    """Build every table of a comparison, in reading order."""
    return (
        build_promises(pair),
        build_rates(pair),
        build_alert_differences(pair),
        build_ranking(pair),
        build_probabilities(pair),
    )
