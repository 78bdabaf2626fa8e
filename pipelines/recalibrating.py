"""Thresholds promised anew on labelled posts of one's own, for a screener that stays as it is."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from pipelines.progress import show_progress
from screening.bundle import BundleManifest, Recalibration, copy_bundle
from screening.config import CalibrationConfig, DataConfig
from screening.data.cleaning import clean_text
from screening.data.deduplicate import find_exact_duplicates, find_near_duplicates
from screening.data.preparation import load_split
from screening.data.schema import validate_posts
from screening.data.sources import read_posts_file
from screening.exceptions import ConfigError
from screening.inference.backends import find_versions
from screening.inference.precision import compute_score_tolerance
from screening.metrics.intervals import compute_proportion_interval
from screening.reference_posts import REFERENCE_POSTS
from screening.scoring import MAX_CHARACTERS, Screener
from screening.taxonomy import Taxonomy
from screening.thresholds.cascade import count_losses, require_read_posts
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.promises import fit_promises
from screening.thresholds.scope import build_scope

SEED = 13  # draws one post of each author
FITTED_SPLITS = ("train", "validation")  # what the score was fitted on
MIN_SUSPICIOUS = 20  # so many posts, all of them flagged, were hardly drawn whatever their score


class PostColumns(NamedTuple):
    """Columns of the labelled file."""

    text: str = "text"
    label: str = "label"
    id: str | None = None
    author: str | None = None


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
    n_known : int or None
        Posts the score was fitted on; ``None`` where they are not beside the bundle and could not be looked for.
    """

    version: str
    before: tuple[OperatingPoint, ...]
    after: tuple[OperatingPoint, ...]
    scores: pd.DataFrame
    n_dropped: int
    n_known: int | None


def recalibrate(
    posts_path: Path,
    bundle_dir: Path,
    out: Path,
    promise: CalibrationConfig,
    columns: PostColumns,
    *,
    is_random_sample: bool = False,
    console: Console,
) -> Recalibrated:
    """Fit a bundle's thresholds anew on labelled posts and write it, otherwise as it is, to another folder.

    Parameters
    ----------
    posts_path : Path
        Posts with the taxonomy's labels, drawn at random from those the screener is to read: whatever their score, and
        none of them a training post.
    bundle_dir, out : Path
        The bundle there is, and the one to write.
    promise : CalibrationConfig
        Recall, confidence, unit and groups. Budgets, other recalls and abstention are a run's.
    columns : PostColumns
    is_random_sample : bool
        Take posts of which every one is flagged: the caller knows that they were not chosen for it.
    console : rich.console.Console

    Returns
    -------
    Recalibrated

    Raises
    ------
    ConfigError
        If ``out`` is there already, the posts lack a column, or every post is flagged by the bundle's own thresholds.
    SchemaError
        If a row is bad; rows are listed by id.
    RecallNotReachableError
        If there are too few positives; nothing is written.

    Notes
    -----
    The score, temperature included, was fixed before these posts were read, so that the order statistic's promise is
    exact for posts like them.
    """
    if out.exists():
        message = f"{out} exists already; name a new folder, so that both bundles can be compared"
        raise ConfigError(message)
    screener = Screener.load(bundle_dir)
    manifest = screener.manifest
    posts = _read_posts(posts_path, columns, promise.group_columns, manifest.taxonomy)
    met = _load_fitted_texts(bundle_dir)
    n_read, posts = len(posts), _drop_repeats(posts, met or ())
    with show_progress(console, "labelled posts") as on_progress:
        scores = screener.score(posts["text"].tolist(), posts["post_id"].tolist(), on_progress)
    scores.insert(1, "label", posts["label"].to_numpy())
    if not is_random_sample:
        _refuse_flagged_only(scores)
    after = _fit(screener, posts.drop(columns="text"), scores, promise)
    fitted = _describe(screener, scores, after)
    version = copy_bundle(bundle_dir, out, fitted)
    n_known = None if met is None else len(met)
    return Recalibrated(version, manifest.operating_points, after, scores, n_read - len(posts), n_known)


def build_recalibration_table(done: Recalibrated) -> Table:
    """Lay out, per target, what the old thresholds do on these posts and what the new ones promise."""
    table = Table(title=f"{len(done.scores):,} labelled posts", title_justify="left")
    for heading in ("", *(point.name for point in done.after)):
        table.add_column(heading, justify="right")
    pairs = list(zip(done.before, done.after, strict=True))
    table.add_row("positives", *(f"{_find_positive(done, point).sum():,}" for point in done.after))
    table.add_row("threshold before", *(f"{before.threshold:.4g}" for before, _ in pairs))
    table.add_row("recall found before", *(_estimate_recall(done, before) for before, _ in pairs))
    table.add_row("alerts per 1,000 before", *(_count_alerts(done, before) for before, _ in pairs))
    table.add_row("threshold now", *(f"{after.threshold:.4g}" for _, after in pairs))
    table.add_row(
        "recall promised now",
        *(f"{after.target_recall:g}, confidence {after.confidence_level:g}" for _, after in pairs),
    )
    table.add_row("alerts per 1,000 now", *(_count_alerts(done, after) for _, after in pairs))
    return table


def _read_posts(path: Path, columns: PostColumns, groups: Sequence[str], taxonomy: Taxonomy) -> pd.DataFrame:
    """Read, check and clean the labelled posts; labels become the taxonomy's names."""
    posts = read_posts_file(
        path,
        text_column=columns.text,
        label_column=columns.label,
        id_column=columns.id,
        author_column=columns.author,
        group_columns=groups,
    )
    check = partial(validate_posts, max_characters=MAX_CHARACTERS, group_columns=groups)
    check(posts, labels=taxonomy.index_by_text.keys(), where=str(path))
    names = posts["label"].map(lambda label: taxonomy.names[taxonomy.index_by_text[label]])
    posts = posts.assign(text=posts["text"].map(clean_text), label=names)
    check(posts, where=f"{path} after cleaning")
    return posts


def _load_fitted_texts(bundle_dir: Path) -> list[str] | None:
    """Load the posts the score was fitted on, if the bundle still lies in its run."""
    files = [bundle_dir.resolve().parent / "data" / f"{split}.parquet" for split in FITTED_SPLITS]
    if not all(file.is_file() for file in files):
        return None
    return [text for file in files for text in load_split(file)["text"]]


def _drop_repeats(posts: pd.DataFrame, met: Sequence[str]) -> pd.DataFrame:
    """Drop exact, then near duplicates of posts the score was fitted on and of earlier posts of the file."""
    similarity = DataConfig.model_fields["near_duplicate_similarity"].default
    for find in (find_exact_duplicates, partial(find_near_duplicates, similarity=similarity)):
        posts = posts[~find([*met, *posts["text"]])[len(met) :]].reset_index(drop=True)
    return posts


def _refuse_flagged_only(scores: pd.DataFrame) -> None:
    if len(scores) >= MIN_SUSPICIOUS and (scores["triage"] != "no_flag").all():
        message = (
            f"every one of the {len(scores):,} posts is flagged by this bundle. Posts that were labelled because they "
            "were flagged say nothing of those it misses: label posts drawn whatever their score. If these were, and "
            "it flags nearly everything there, add --random-sample"
        )
        raise ConfigError(message)


def _fit(
    screener: Screener, posts: pd.DataFrame, scores: pd.DataFrame, promise: CalibrationConfig
) -> tuple[OperatingPoint, ...]:
    manifest, labels = screener.manifest, scores["label"].to_numpy()
    targets = manifest.taxonomy.targets
    scope = build_scope(posts, unit=promise.unit, group_columns=promise.group_columns, rng=np.random.default_rng(SEED))
    tolerance = compute_score_tolerance(
        manifest.precision, manifest.temperature.temperature, quantisation=manifest.quantisation
    )
    risks = {target.name: scores[f"risk_{target.name}"].to_numpy() for target in targets}
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


def _find_positive(done: Recalibrated, point: OperatingPoint) -> pd.Series:
    return done.scores["label"].isin(point.labels)


def _estimate_recall(done: Recalibrated, point: OperatingPoint) -> str:
    found = point.flag(done.scores[f"risk_{point.name}"].to_numpy())[_find_positive(done, point)]
    if not len(found):
        return "–"
    interval = compute_proportion_interval(int(found.sum()), len(found))
    return f"{found.mean():.3f} ({interval.low:.3f}–{interval.high:.3f})"


def _count_alerts(done: Recalibrated, point: OperatingPoint) -> str:
    return f"{1_000 * point.flag(done.scores[f'risk_{point.name}'].to_numpy()).mean():.0f}"
