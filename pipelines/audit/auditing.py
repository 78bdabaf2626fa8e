"""Audits of a deployed screener: sample, estimate, drift; files in, records out."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pipelines.audit.files import (
    AuditManifest,
    build_manifest_counts,
    count_decisions,
    list_unflagged,
    read_decisions,
    read_sample,
    validate_sample_path,
    write_sample,
)
from pipelines.audit.score_tables import Promise, read_run_scores, read_scores
from screening.audit.drift import DriftResult, compare_scores
from screening.audit.estimate import AuditEstimate, estimate_audited_recall
from screening.audit.sampling import NEAR_SHARE, draw_audit_sample
from screening.exceptions import ConfigError, SchemaError
from screening.types import Record

Missing = Literal["worst", "refuse"]


class AuditOutcome(Record):
    """An estimate with what it rests on; ``n_outside`` counts decisions on posts outside the sample, not used."""

    estimate: AuditEstimate
    manifest: AuditManifest
    n_flagged_positive: int
    n_missed_found: int
    n_unflagged_read: int
    n_outside: int


def draw_sample(
    scores_path: Path,
    out_path: Path,
    promise: Promise,
    target: str,
    n_to_read: int,
    *,
    seed: int,
    near_share: float = NEAR_SHARE,
    n_flagged_to_read: int | None = None,
) -> AuditManifest:
    """Draw the posts to read from a score table; write their ids and the manifest of the sample.

    Raises
    ------
    ConfigError
        If the output exists, the target is unknown, or more posts are asked for than there are.
    DataAccessError, SchemaError
        See :func:`pipelines.audit.score_tables.read_scores`.
    """
    validate_sample_path(out_path, (scores_path,))
    point = promise.find(target)
    if point.confidence_level <= 0.5:
        message = (
            f"{target} is promised with confidence {point.confidence_level:.6g}; an audit's interval needs more than "
            "0.5. Calibrate with a higher calibration.confidence_level before anyone reads posts"
        )
        raise ConfigError(message)
    scores = read_scores(scores_path, promise, [f"risk_{target}"])
    risk = scores[f"risk_{target}"].to_numpy()
    flags = point.flag(risk)
    _validate_numbers(len(scores), int(flags.sum()), n_to_read, n_flagged_to_read)
    drawn = draw_audit_sample(
        pd.DataFrame({"post_id": scores["post_id"], "score": risk}),
        flags,
        n_to_read,
        rng=np.random.default_rng(seed),
        near_share=near_share,
        n_flagged_to_read=n_flagged_to_read,
    )
    manifest = AuditManifest.model_validate(
        {
            **point.model_dump(include={"labels", "threshold", "target_recall", "confidence_level", "unit"}),
            **build_manifest_counts(drawn),
            "target": target,
            "model_version": promise.version,
            "near_share": near_share,
            "seed": seed,
        }
    )
    write_sample(out_path, drawn.table.assign(model_version=promise.version), manifest)
    return manifest


def estimate_recall(
    sample_path: Path,
    decisions_path: Path,
    flagged_decisions_path: Path,
    *,
    missing: Missing = "worst",
    column: str | None = None,
) -> AuditOutcome:
    """Estimate recall from the decisions on a sample.

    Parameters
    ----------
    decisions_path, flagged_decisions_path : Path
        Decisions on the sampled unflagged and flagged posts; may be one file. Posts outside the sample are not used.
    missing : {"worst", "refuse"}
        What to do where a sampled post has no clear decision: take it as worst for the low end of the interval and as
        best for the high end, or refuse.

    Raises
    ------
    SchemaError
        If a file is not as expected, or decisions are missing and ``missing`` is ``refuse``.
    """
    sample, manifest = read_sample(sample_path)
    unflagged, flagged = (read_decisions(path, column) for path in (decisions_path, flagged_decisions_path))
    read = [count_decisions(sample, stratum, unflagged) for stratum in manifest.strata]
    hits = count_decisions(sample, manifest.flagged, flagged)
    estimate = estimate_audited_recall(
        hits, read, target_recall=manifest.target_recall, confidence_level=manifest.confidence_level
    )
    if estimate.n_missing and missing == "refuse":
        n_unflagged = estimate.n_missing - hits.n_missing
        message = (
            f"{estimate.n_missing} sampled posts have no clear decision ({n_unflagged} unflagged, {hits.n_missing} "
            "flagged); decide them, or take them as worst case (--missing worst)"
        )
        raise SchemaError(message)
    decided = set(unflagged.index) | set(flagged.index)
    outside = decided - set(sample["post_id"])
    if outside == decided:
        message = (
            f"none of {len(decided):,} decisions is on a sampled post; expected post_id as in {sample_path}, name the "
            "files with the decisions on this sample"
        )
        raise SchemaError(message)
    return AuditOutcome(
        estimate=estimate,
        manifest=manifest,
        n_flagged_positive=hits.n_positive,
        n_missed_found=sum(stratum.n_positive for stratum in read),
        n_unflagged_read=len(list_unflagged(sample)),
        n_outside=len(outside),
    )


def check_drift(
    scores_path: Path, promise: Promise, *, run_folder: Path | None = None, reference_path: Path | None = None
) -> DriftResult:
    """Compare a score table with the run's calibration and test posts, or with an earlier score table.

    Raises
    ------
    MissingArtifactError
        If the run has no calibration or test scores.
    SchemaError
        See :func:`pipelines.audit.score_tables.read_scores`; another model version is refused.
    """
    columns = [*(f"risk_{point.name}" for point in promise.operating_points), "n_tokens", "is_truncated"]
    columns += ["is_cleared"] * promise.has_first_stage
    current = read_scores(scores_path, promise, columns)
    if reference_path is not None:
        reference = read_scores(reference_path, promise, columns)
    elif run_folder is not None:
        parts = [read_run_scores(run_folder, name, promise)[[*columns, "label"]] for name in ("calibration", "test")]
        reference = pd.concat(parts, ignore_index=True)
    else:
        message = "expected --run or --reference, found neither; name the posts to compare with"
        raise ConfigError(message)
    try:
        return compare_scores(reference, current, promise.operating_points)
    except ValueError as error:
        message = f"{scores_path}: {error}"
        raise SchemaError(message) from error


def _validate_numbers(n_posts: int, n_flagged: int, n_to_read: int, n_flagged_to_read: int | None) -> None:
    n_unflagged = n_posts - n_flagged
    for option, asked, available in (("--n", n_to_read, n_unflagged), ("--n-flagged", n_flagged_to_read, n_flagged)):
        if asked is not None and not 0 <= asked <= available:
            message = (
                f"{option}: expected 0 to {available} posts ({n_posts} scored, {n_flagged} flagged), found {asked}; "
                "ask for fewer, or sample from the scores of a longer period"
            )
            raise ConfigError(message)
