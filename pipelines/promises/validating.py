"""A bundle's thresholds held against labelled posts of one's own: what is found, nothing is fitted."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from pipelines.progress import show_progress
from pipelines.promises.labelled_posts import drop_repeats, load_run_texts, read_labelled_posts, refuse_flagged_only
from screening.data.sources import Columns
from screening.exceptions import ConfigError
from screening.metrics.intervals import estimate_proportion
from screening.metrics.operating import OperatingResult, PromiseVerdict, compute_operating_result, judge_promise
from screening.metrics.ranking import estimate_roc_area
from screening.scoring import Screener
from screening.thresholds.operating_point import OperatingPoint, share_confidence
from screening.thresholds.scope import AUTHOR_COLUMN, MIN_GROUP_SIZE, PromiseScope, build_scope, tells_posts_apart
from screening.types import Estimate, Record

SEED = 13  # draws one post of each author
MET_SPLITS = ("train", "validation", "calibration")  # what score and thresholds were fitted on
SPLIT = "external"
WORST_FIRST: tuple[PromiseVerdict, ...] = ("contradicted", "unknown", "consistent", "confirmed")


class FoundGroup(Record):
    """What a target's threshold does in one group of posts; both estimates count posts.

    ``verdict`` is there where the recall is promised in this group too: judged in the unit of the promise, with an
    interval corrected for the number of promised groups (Bonferroni).
    """

    column: str
    group: str
    recall: Estimate
    alert_rate: Estimate
    verdict: PromiseVerdict | None = None


class FoundTarget(Record):
    """What a target's threshold does on the posts.

    Attributes
    ----------
    point : OperatingPoint
        Threshold and promise, as the bundle has them.
    result : OperatingResult
        Counts and rates of posts, with exact 95 % intervals.
    recall : Estimate
        In the unit of the promise, posts or authors; without a value by author if no author is known.
    roc_area : Estimate
    verdict : str
        What ``recall``, and the recall in the groups of the promise, say of it; ``unknown`` also where such a group is
        not among the posts.
    groups : tuple of FoundGroup
    """

    point: OperatingPoint
    result: OperatingResult
    recall: Estimate
    roc_area: Estimate
    verdict: PromiseVerdict
    groups: tuple[FoundGroup, ...] = ()


class Validation(Record):
    """An external validation of a bundle; holds neither texts nor ids.

    Attributes
    ----------
    model_version : str
    is_synthetic : bool
        Whether the model learnt from synthetic posts.
    n_by_label : dict of str to int
        Posts that were scored.
    n_without_author : int
        Posts that count as an author each, where a promise is by author.
    n_dropped : int
        Posts left out because they repeat one that score or thresholds were fitted on, or an earlier one of the file.
    is_checked : bool
        Whether the posts they were fitted on were at hand.
    targets : tuple of FoundTarget
    """

    model_version: str
    is_synthetic: bool
    n_by_label: dict[str, int]
    n_without_author: int
    n_dropped: int
    is_checked: bool
    targets: tuple[FoundTarget, ...]

    @property
    def is_contradicted(self) -> bool:
        """Whether the posts contradict a promise."""
        return any(target.verdict == "contradicted" for target in self.targets)


def validate_bundle(
    posts_path: Path, bundle_dir: Path, columns: Columns, *, is_random_sample: bool = False, console: Console
) -> Validation:
    """Score labelled posts and count what a bundle's thresholds find among them.

    Parameters
    ----------
    posts_path : Path
        Posts with the taxonomy's labels, or ``none``, drawn at random from those the screener is to read: whatever
        their score.
    bundle_dir : Path
    columns : Columns
        The author is read where the promise is by author. Recall and alerts are counted in each group of the group
        columns too.
    is_random_sample : bool
        Take posts of which every one is flagged: the caller knows that they were not chosen for it.
    console : rich.console.Console

    Returns
    -------
    Validation

    Raises
    ------
    ConfigError
        If a column is missing or no group's, the posts are a sample of ``screening audit``, every one is flagged, or
        none is left.
    SchemaError
        If a row is bad; rows are listed by id.
    """
    screener = Screener.load(bundle_dir)
    manifest = screener.manifest
    read = read_labelled_posts(posts_path, columns, manifest.taxonomy)
    met = load_run_texts(bundle_dir, manifest.run_id, MET_SPLITS)
    posts = drop_repeats(read, met or ()).sort_values("post_id", ignore_index=True)  # whatever the file's order
    if posts.empty:
        message = f"{posts_path}: every post is one that the bundle was fitted on; label other ones"
        raise ConfigError(message)
    _refuse_names(posts, columns.groups)
    with show_progress(console, "labelled posts") as on_progress:
        scores = screener.score(posts["text"].tolist(), posts["post_id"].tolist(), on_progress)
    if not is_random_sample:
        refuse_flagged_only(scores)
    known = posts.drop(columns="text")
    return Validation(
        model_version=screener.version,
        is_synthetic=manifest.is_synthetic,
        n_by_label={str(name): int(n) for name, n in known["label"].value_counts().items()},
        n_without_author=int(known[AUTHOR_COLUMN].isna().sum()) if AUTHOR_COLUMN in known else len(known),
        n_dropped=len(read) - len(posts),
        is_checked=met is not None and manifest.recalibration is None,
        targets=tuple(_count(known, scores, point, columns.groups) for point in manifest.operating_points),
    )


def _refuse_names(posts: pd.DataFrame, group_columns: tuple[str, ...]) -> None:
    """Refuse columns that tell persons or posts apart rather than groups."""
    for name in group_columns:
        n_groups = posts[name].nunique()
        if tells_posts_apart(n_groups, len(posts)):
            message = (
                f"--group-column {name} has {n_groups:,} groups in {len(posts):,} posts; expected {MIN_GROUP_SIZE} "
                "posts a group on average, since figures of smaller ones are about single persons"
            )
            raise ConfigError(message)


def _count(
    posts: pd.DataFrame, scores: pd.DataFrame, point: OperatingPoint, group_columns: tuple[str, ...]
) -> FoundTarget:
    risk = scores[f"risk_{point.name}"].to_numpy()
    is_positive, flags = posts["label"].isin(point.labels).to_numpy(), point.flag(risk)
    unit = point.unit if AUTHOR_COLUMN in posts else "post"
    scope = build_scope(posts, unit=unit, group_columns=group_columns, rng=np.random.default_rng(SEED))
    recall = _estimate_recall(scope, is_positive, flags, point)
    groups = tuple(_count_groups(scope, is_positive, flags, point))
    judged = {(group.column, group.group): group.verdict or "unknown" for group in groups}
    of_groups = [judged.get((group.column, group.group), "unknown") for group in point.groups]
    return FoundTarget(
        point=point,
        result=compute_operating_result(is_positive, flags, split=SPLIT),
        recall=recall,
        roc_area=estimate_roc_area(is_positive, risk, split=SPLIT),
        verdict=min((judge_promise(recall, point.target_recall), *of_groups), key=WORST_FIRST.index),
        groups=groups,
    )


def _estimate_recall(
    scope: PromiseScope, candidates: np.ndarray, flags: np.ndarray, point: OperatingPoint, n_groups: int = 0
) -> Estimate:
    """Estimate recall in the unit of the promise; without a value where that is the author, and none is known."""
    if scope.unit != point.unit:
        return Estimate(value=None, n_samples=0, split=SPLIT)
    drawn = scope.draw(candidates)
    level = share_confidence(0.95, max(n_groups, 1))
    return estimate_proportion(int((flags & drawn).sum()), int(drawn.sum()), split=SPLIT, confidence_level=level)


def _count_groups(
    scope: PromiseScope, is_positive: np.ndarray, flags: np.ndarray, point: OperatingPoint
) -> Iterator[FoundGroup]:
    promised = {(group.column, group.group) for group in point.groups}
    for column, group, is_in in scope.iterate_groups():
        result = compute_operating_result(is_positive[is_in], flags[is_in], split=SPLIT)
        verdict = None
        if (column, group) in promised:
            recall = _estimate_recall(scope, is_positive & is_in, flags, point, len(promised))
            verdict = judge_promise(recall, point.target_recall)
        yield FoundGroup(
            column=column, group=group, recall=result.recall, alert_rate=result.alert_rate, verdict=verdict
        )
