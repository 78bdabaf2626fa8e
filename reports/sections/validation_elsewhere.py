"""What the screener does where its promise was not made: posts from another place, and posts from a later time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.estimates import spread_estimate
from reports.page import Section
from reports.results import RunResults, binarize_labels, extract_scores, mark_read
from reports.sections.calibration import describe_cleared
from reports.sections.promised_recall import judge_target
from reports.sections.recall import compute_result, flag_posts
from reports.sections.subgroups import MIN_POSITIVES
from reports.tables import Column, Table
from screening.metrics.calibration_slope import compute_calibration_slope
from screening.metrics.ranking import estimate_roc_area
from screening.metrics.workload import compute_alert_rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from screening.taxonomy import RiskTarget

TITLE = "Elsewhere and later"
NO_EXTERNAL = (
    "No external validation has been done: every number on this page comes from the data set the screener was made "
    "from. Name a labelled file from another place in data.external, and `screening evaluate` scores it."
)
NEVER_PROMISED = (
    "The promise was never made for these posts: it is for posts like the calibration posts. What was found here says "
    "how far it carries, and a recall below the promise is not a broken promise."
)
NO_DATES = "No temporal validation has been done: the posts carry no dates, or not all splits do."


def build_validation_section(results: RunResults) -> Section:
    """Build what was found on external and on later posts, or say plainly that nothing was done."""
    external, later = build_external(results), build_later(results)
    words: list[str] = (
        [NO_EXTERNAL] if results.external is None else [NEVER_PROMISED, *_describe_card(results.external_card)]
    )
    words.append(describe_later_posts(results))
    tables = [table for table in (external, build_external_ranking(results), later) if table is not None]
    return Section("validation", TITLE, tuple(words), tuple(tables))


def build_external(results: RunResults) -> Table | None:
    """Compare the recall promised with the recall found on external posts; ``None`` without any."""
    if results.external is None or not results.targets:
        return None
    frame = pd.DataFrame([_describe_flags(results, target, results.external, "external") for target in results.targets])
    note = (
        "Exact (Clopper-Pearson) 95% intervals. PPV holds for the external posts' own mix of labels. Promise: whether "
        "the interval reaches it, as if it had been made here."
    )
    title = "Found on external posts"
    return Table("external", title, frame, (*FLAG_COLUMNS, VERDICT_COLUMN), "external posts", note)


def build_external_ranking(results: RunResults) -> Table | None:
    """Compare discrimination and calibration of risk scores on test and on external posts; ``None`` without any."""
    if results.external is None:
        return None
    parts = (("test split", results.test), ("external posts", results.external))
    rows = [
        {"target": target.name, "posts": name} | _describe_scores(target, scores, name)
        for target in results.scored_targets
        for name, scores in parts
    ]
    columns = (
        Column("target", "Risk target"),
        Column("posts", "Posts"),
        Column("n_positive", "Positives", "count", n_key="n_samples"),
        Column("roc_area", "Area under the ROC curve", "score", interval=True),
        Column("slope", "Calibration slope", "ratio", interval=True),
        Column("intercept", "Calibration intercept", "signed", interval=True),
    )
    note = (
        "Area: how often a positive scores above another post; it does not depend on prevalence (DeLong's 95% "
        "interval). Slope: 1 is ideal, below 1 scores are too extreme. Intercept, in log-odds: 0 is ideal, below 0 "
        "scores are too high overall (Wald 95% intervals); it moves with prevalence."
    )
    for name, scores in parts:
        note += describe_cleared(scores, results.scored_targets, f"posts ({name})")
    return Table("external_scores", "Risk scores here and there", pd.DataFrame(rows), columns,
                 "test split and external posts", note)  # fmt: skip


def choose_later_posts(results: RunResults) -> pd.DataFrame | None:
    """Choose the test posts later than every post the screener was fitted on; ``None`` without dates."""
    if results.fitted_until is None or "created_at" not in results.test:
        return None
    return results.test[pd.to_datetime(results.test["created_at"]) > results.fitted_until]


def build_later(results: RunResults) -> Table | None:
    """Count flags on later test posts; ``None`` without dates or with fewer than ten positives for every target."""
    later = choose_later_posts(results)
    if later is None:
        return None
    targets = [target for target in results.targets if binarize_labels(later, target).sum() >= MIN_POSITIVES]
    if not targets:
        return None
    rows = [_describe_flags(results, target, later, "test, later posts") for target in targets]
    note = (
        "Test posts written after the latest training, validation or calibration post: the only ones in the order of "
        f"deployment. Targets with fewer than {MIN_POSITIVES} positives are not shown."
    )
    return Table(
        "later", "Found on later test posts", pd.DataFrame(rows), FLAG_COLUMNS, "test split, later posts", note
    )


def describe_later_posts(results: RunResults) -> str:
    """Say in one sentence how many test posts are later than all others, and whether that is enough."""
    later, until = choose_later_posts(results), results.fitted_until
    if later is None or until is None:
        return NO_DATES
    counts = {target.name: int(binarize_labels(later, target).sum()) for target in results.targets}
    start = (
        f"{len(later):,} of {len(results.test):,} test posts are later than the latest post the screener was fitted on "
        f"({until.date()})"
    )
    if any(n >= MIN_POSITIVES for n in counts.values()):
        return f"{start}; what was found on them stands below."
    positives = ", ".join(f"{n} of {name}" for name, n in counts.items())
    found = f" ({positives})" if counts and len(later) else ""
    return f"{start}{found}: too few for a temporal validation, so none has been done."


FLAG_COLUMNS = (
    Column("target", "Risk target"),
    Column("n_positive", "Positives", "count", n_key="n_samples"),
    Column("target_recall", "Recall promised", "fraction"),
    Column("recall", "Recall found", "fraction", interval=True, n_key="recall_n"),
    Column("ppv", "PPV", "fraction", interval=True, n_key="ppv_n"),
    Column("alerts_per_1000", "Alerts per 1,000", "number", interval=True, n_key="n_samples"),
)
VERDICT_COLUMN = Column("verdict", "The promise would be")


def _describe_flags(results: RunResults, target: RiskTarget, scores: pd.DataFrame, split: str) -> dict[str, object]:
    result = compute_result(results, target, scores, split)
    promised = results.point_by_target[target.name].target_recall
    record: dict[str, object] = {"target": target.name, "target_recall": promised}
    record |= {"n_samples": result.n_samples, "n_positive": result.n_positive}
    for name in ("recall", "specificity", "ppv", "npv"):
        record |= spread_estimate(name, getattr(result, name))
    record |= spread_estimate("alerts_per_1000", compute_alert_rate(flag_posts(results, target, scores), split=split))
    return record | {"verdict": judge_target(results, target, scores, split)}


def _describe_scores(target: RiskTarget, scores: pd.DataFrame, split: str) -> dict[str, object]:
    y_true, y_score = binarize_labels(scores, target), extract_scores(scores, target)
    is_read = mark_read(scores)  # a cleared post has a place in the ranking, but no probability
    calibration = compute_calibration_slope(y_true[is_read], y_score[is_read], split=split)
    record: dict[str, object] = {"n_samples": len(scores), "n_positive": int(y_true.sum())}
    record |= spread_estimate("roc_area", estimate_roc_area(y_true, y_score, split=split))
    return record | spread_estimate("slope", calibration.slope) | spread_estimate("intercept", calibration.intercept)


def _describe_card(card: Mapping[str, Any] | None) -> Iterator[str]:
    """Say where external posts come from and how many were dropped for repeating others."""
    if card is None:
        return
    n_posts = {step["step"]: int(step["n_posts"]) for step in card["filters"]}
    n_repeats = n_posts.get("exact_duplicates", 0) + n_posts.get("near_duplicates", 0)
    yield (
        f"External posts: {n_posts.get('read', 0):,} were read; {n_repeats:,} that repeat a post the screener was "
        f"fitted on, or each other, were dropped; {n_posts.get('kept', 0):,} are left. Whether an author wrote in both "
        "places is not known."
    )
