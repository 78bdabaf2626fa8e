"""Thresholds promised anew on labelled posts of one's own, for a screener that stays as it is."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from pipelines.progress import show_progress
from pipelines.promises.labelled_posts import drop_repeats, load_run_texts, read_labelled_posts, refuse_flagged_only
from screening.bundle import BundleManifest, Recalibration, copy_bundle
from screening.config import CalibrationConfig
from screening.data.sources import Columns
from screening.exceptions import ConfigError
from screening.inference.backends import find_versions
from screening.inference.precision import compute_score_tolerance
from screening.reference_posts import REFERENCE_POSTS
from screening.scoring import Screener
from screening.thresholds.cascade import count_losses, require_read_posts
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.promises import fit_promises
from screening.thresholds.scope import build_scope

SEED = 13  # draws one post of each author
SCORE_SPLITS = ("train", "validation")  # what the score was fitted on


class Asked(NamedTuple):
    """What is to be promised; ``None`` is what the bundle promises."""

    target_recall: float | None = None
    confidence_level: float | None = None
    is_family_wise: bool = False


class Recalibrated(NamedTuple):
    """What came out.

    Attributes
    ----------
    version : str
        Of the new bundle.
    before, after : tuple of OperatingPoint
        Of the same targets, in the same order.
    scores : DataFrame
        The labelled posts' ids, labels and scores.
    n_dropped : int
        Posts left out because they repeat one the score was fitted on, or an earlier one of the file.
    is_checked : bool
        Whether the posts the score was fitted on were at hand.
    """

    version: str
    before: tuple[OperatingPoint, ...]
    after: tuple[OperatingPoint, ...]
    scores: pd.DataFrame
    n_dropped: int
    is_checked: bool


def recalibrate(
    posts_path: Path,
    bundle_dir: Path,
    out: Path,
    asked: Asked,
    columns: Columns,
    *,
    is_random_sample: bool = False,
    console: Console,
) -> Recalibrated:
    """Fit a bundle's thresholds anew on labelled posts and write it, otherwise as it is, to another folder.

    Parameters
    ----------
    posts_path : Path
        Posts with the taxonomy's labels, or ``none``, drawn at random from those the screener is to read: whatever
        their score, and none of them a training post.
    bundle_dir, out : Path
        The bundle there is, and the one to write.
    asked : Asked
        Alert budgets, other recalls and abstention are a run's.
    columns : Columns
        With an author, the promise is made by author; it is made in each group of the group columns too.
    is_random_sample : bool
        Take posts of which every one is flagged: the caller knows that they were not chosen for it.
    console : rich.console.Console

    Returns
    -------
    Recalibrated

    Raises
    ------
    ConfigError
        If ``out`` is there already or lies in the bundle, a column is missing or no group's, the posts are a sample
        of ``screening audit``, or every one is flagged by the bundle's own thresholds.
    SchemaError
        If a row is bad; rows are listed by id.
    RecallNotReachableError
        If there are too few positives; nothing is written.

    Notes
    -----
    The score, temperature included, was fixed before these posts were read, so that the order statistic's promise is
    exact for posts like them.
    """
    _validate_place(out, bundle_dir)
    screener = Screener.load(bundle_dir)
    before = screener.manifest.operating_points
    read = read_labelled_posts(posts_path, columns, screener.manifest.taxonomy)
    met = load_run_texts(bundle_dir, screener.manifest.run_id, SCORE_SPLITS)
    posts = drop_repeats(read, met or ())
    with show_progress(console, "labelled posts") as on_progress:
        scores = screener.score(posts["text"].tolist(), posts["post_id"].tolist(), on_progress)
    scores.insert(1, "label", posts["label"].to_numpy())
    if not is_random_sample:
        refuse_flagged_only(scores)
    promise = CalibrationConfig(
        target_recall=asked.target_recall or before[0].target_recall,
        confidence_level=asked.confidence_level or before[0].confidence_level,
        is_family_wise=asked.is_family_wise,
        unit="author" if columns.author else "post",
        group_columns=columns.groups,
    )
    known = [read.drop(columns="text"), _list_promised_groups(before)]
    after = _fit(screener, posts.drop(columns="text"), known, scores, promise)
    version = copy_bundle(bundle_dir, out, _describe(screener, scores, after))
    return Recalibrated(version, before, after, scores, len(read) - len(posts), met is not None)


def _validate_place(out: Path, bundle_dir: Path) -> None:
    """Refuse a place for the new bundle before anything is read."""
    inside = bundle_dir.resolve() in out.resolve().parents
    blocked = [parent for parent in out.parents if parent.exists() and not parent.is_dir()]
    if out.exists() or inside or blocked:
        found = "lies inside the bundle" if inside else f"lies in {blocked[0]}, a file" if blocked else "exists already"
        message = f"{out} {found}; name a new folder, so that both bundles can be compared"
        raise ConfigError(message)


def _list_promised_groups(points: Sequence[OperatingPoint]) -> pd.DataFrame:
    """List the groups of an earlier promise, a column each: they are covered again or refused, never left out."""
    groups = {(group.column, group.group) for point in points for group in point.groups}
    return pd.DataFrame([{column: group} for column, group in sorted(groups)], dtype=object)


def _fit(
    screener: Screener,
    posts: pd.DataFrame,
    known: Sequence[pd.DataFrame],
    scores: pd.DataFrame,
    promise: CalibrationConfig,
) -> tuple[OperatingPoint, ...]:
    manifest, labels = screener.manifest, scores["label"].to_numpy()
    targets = manifest.taxonomy.targets
    rng = np.random.default_rng(SEED)
    scope = build_scope(posts, unit=promise.unit, group_columns=promise.group_columns, rng=rng, earlier=known)
    risks = {target.name: scores[f"risk_{target.name}"].to_numpy() for target in targets}
    tolerance = compute_score_tolerance(
        manifest.precision, manifest.temperature.temperature, quantisation=manifest.quantisation
    )
    points = fit_promises(targets, risks, labels, promise, scope=scope, score_tolerance=tolerance).operating_points
    require_read_posts(points, count_losses(~scores["is_cleared"].to_numpy(), labels, targets))
    return points


def _describe(screener: Screener, scores: pd.DataFrame, points: tuple[OperatingPoint, ...]) -> BundleManifest:
    """Take over the manifest, with the new thresholds and what they and their arithmetic rest on."""
    outcome = scores[["post_id", "label"]].to_csv(index=False).encode()
    recalibration = Recalibration(
        bundle_version=screener.version,
        n_posts=len(scores),
        digest=hashlib.sha256(outcome).hexdigest(),
    )
    return screener.manifest.model_copy(
        update={
            "created_at": datetime.now(UTC).replace(microsecond=0),
            "operating_points": points,
            "recalibration": recalibration,
            "versions": find_versions(screener.manifest.backend),
            "reference_logits": tuple(map(tuple, screener.path.compute_logits(REFERENCE_POSTS).logits.tolist())),
        }
    )
