"""What other thresholds would have given: curves over all of them, and the table behind the page's slider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.figures.curves import plot_precision_recall, plot_roc
from reports.page import Section, Slider, SliderTable
from reports.results import RunResults, binarize_labels, extract_scores
from reports.sections.curves import build_curve, build_ranking
from reports.sections.recall import build_performance
from reports.tables import Column, Table
from screening.metrics.intervals import compute_proportion_bounds
from screening.metrics.ranking import count_at_thresholds
from screening.metrics.workload import compute_workload

if TYPE_CHECKING:
    from screening.taxonomy import RiskTarget

N_STEPS = 100
COLUMNS = (
    Column("threshold", "Threshold", "score"),
    Column("recall", "Recall", "fraction", interval=True, n_key="recall_n"),
    Column("ppv", "Precision (PPV)", "fraction", interval=True),
    Column("alerts_per_1000", "Alerts per 1,000", "number", interval=True, n_key="false_alarm_rate_n"),
    Column("posts_read_per_true_case", "Posts read per positive", "number", interval=True),
)
NOT_PROMISED = (
    "A threshold picked here carries no promise: it was chosen by looking at the posts it is judged on. For a "
    "threshold with a promise at another recall, set calibration.other_recalls and calibrate again "
    "(docs/thresholds.md)."
)
NOTE = (
    "Recall: exact 95% interval. The rest follows from recall and from the false-alarm rate on the other posts (n "
    "under alerts), with the worst corners of two 95% intervals; see “At deployment prevalences”."
)


@dataclass(frozen=True)
class _Setting:
    """Posts a screener could meet: how common posts of the target are, and whose scores the others have."""

    words: str
    prevalence: float
    others: np.ndarray


def build_other_thresholds(results: RunResults) -> Table:
    """Compute recall and reading effort at up to 101 thresholds per target, for every kind of stream."""
    parts = [part for target in results.scored_targets for part in _compute_target(results, target)]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    columns = (Column("target", "Risk target"), Column("posts", "Posts screened"), *COLUMNS)
    return Table("other_thresholds", "Other thresholds", frame, columns, "test split and controls", NOTE)


def build_slider(table: Table) -> Slider | None:
    """Cut the table into the parts a reader chooses from; ``None`` for a table without rows."""
    if table.frame.empty:
        return None
    parts: list[SliderTable] = []
    for (target, posts), part in table.frame.groupby(["target", "posts"], sort=False):
        at_point = np.flatnonzero(part["is_operating_point"])
        start = int(at_point[0]) if at_point.size else len(part) // 2
        words = f"{target}, {posts}"
        shown = Table(f"slider-{len(parts)}", words, part.reset_index(drop=True), COLUMNS, table.split)
        parts.append(SliderTable(str(target), str(posts), start, bool(at_point.size), shown))
    return Slider(tuple(parts), NOT_PROMISED, table)


def build_other_threshold_section(results: RunResults) -> Section | None:
    """Build curves and slider, where there are scores of posts with and without a target's label."""
    curve, table = build_curve(results), build_other_thresholds(results)
    points = build_performance(results).frame
    if curve.frame.empty:
        return None
    has_recall = bool(curve.frame["recall"].notna().any())
    has_both = bool((curve.frame["recall"].notna() & curve.frame["false_alarm_rate"].notna()).any())
    pictures = (
        *((plot_precision_recall(curve.frame, points, "test split"),) if has_recall else ()),
        *((plot_roc(curve.frame, points, "test split"),) if has_both else ()),
    )
    return Section(
        name="other-thresholds",
        title="What other thresholds would give",
        words=("The operating points were fixed before these posts were scored. This is what others would have done.",),
        tables=(build_ranking(results),),
        pictures=pictures,
        slider=build_slider(table),
        folded=(curve,),
    )


def _compute_target(results: RunResults, target: RiskTarget) -> list[pd.DataFrame]:
    y_true, y_score = binarize_labels(results.test, target), extract_scores(results.test, target)
    if not y_true.any():
        return []
    thresholds, is_point = _choose_thresholds(results, target, y_true, y_score)
    n_hits = _count_flagged(y_score[y_true], thresholds)
    n_positive = int(y_true.sum())
    recall = {"recall": n_hits / n_positive, **_bound("recall", n_hits, n_positive)}
    parts = []
    for setting in _list_settings(results, target, y_true, y_score):
        n_others = setting.others.size
        n_alarms = _count_flagged(setting.others, thresholds)
        alarms = _bound("false_alarm_rate", n_alarms, n_others)
        workload = compute_workload(
            recall["recall"], n_alarms / n_others, setting.prevalence, results.config.report.minutes_per_post,
            bounds=((recall["recall_low"], recall["recall_high"]),
                    (alarms["false_alarm_rate_low"], alarms["false_alarm_rate_high"])),
        )  # fmt: skip
        frame = pd.DataFrame({"threshold": thresholds, "is_operating_point": is_point, **recall, **workload})
        frame = frame.assign(target=target.name, posts=setting.words, prevalence=setting.prevalence)
        parts.append(frame.assign(recall_n=n_positive, false_alarm_rate_n=n_others))
    return parts


def _choose_thresholds(
    results: RunResults, target: RiskTarget, y_true: np.ndarray, y_score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose scores evenly along the ranking, and the operating point itself; highest first."""
    ranked = count_at_thresholds(y_true, y_score).threshold
    chosen = ranked[np.unique(np.linspace(0, ranked.size - 1, N_STEPS).round().astype(int))].astype(np.float64)
    point = results.point_by_target.get(target.name)
    if point is None:
        return chosen, np.zeros(chosen.size, dtype=bool)
    both = np.unique(np.append(chosen, point.threshold))[::-1]
    return both, both == point.threshold


def _list_settings(results: RunResults, target: RiskTarget, y_true: np.ndarray, y_score: np.ndarray) -> list[_Setting]:
    """List the test split as it is, then every deployment prevalence with other posts like it or like the controls."""
    others = {"the test split's": y_score[~y_true]}
    if results.controls is not None and len(results.controls):
        others = {"the controls": extract_scores(results.controls, target)} | others
    share = float(y_true.mean())
    own = _Setting(f"{100 * share:.1f}% of this kind, as on the test split", share, y_score[~y_true])
    settings = [
        _Setting(f"{100 * prevalence:.3g}% of this kind, others like {name}", prevalence, scores)
        for prevalence in sorted(set(results.config.report.prevalences))
        for name, scores in others.items()
    ]
    return [setting for setting in (own, *settings) if setting.others.size]


def _count_flagged(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Count scores at or above each threshold, compared in the precision of the scores."""
    return scores.size - np.searchsorted(np.sort(scores), thresholds.astype(scores.dtype), side="left")


def _bound(name: str, n_success: np.ndarray, n: int) -> dict[str, np.ndarray]:
    low, high = compute_proportion_bounds(n_success, np.full(n_success.shape, n))
    return {f"{name}_low": low, f"{name}_high": high}
