"""The promised thresholds that come with imported scores, kept as an event."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.store.events import append_event, to_canonical_json
from apps.review.store.models import Event
from screening.exceptions import MissingArtifactError, SchemaError
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.triage import assign_triage

_KIND = "operating_points_imported"
_FILE = Path("calibration") / "operating_points.json"
Points = tuple[Sequence[OperatingPoint], Sequence[OperatingPoint]]


def read_run_points(run: Path) -> Points:
    """Read the operating points of a finished run, and the promised alternatives beside them.

    Raises
    ------
    MissingArtifactError
        If the run was not calibrated.
    SchemaError
        If the file is not what calibration writes.
    """
    path = run / _FILE
    if not path.is_file():
        message = f"no {path}; calibrate the run first (screening calibrate), or leave --run out"
        raise MissingArtifactError(message)
    try:
        content = json.loads(path.read_bytes())
        points, alternatives = (
            tuple(OperatingPoint.model_validate(point) for point in content.get(name, ()))
            for name in ("operating_points", "alternatives")
        )
    except (ValueError, TypeError, AttributeError, ValidationError) as error:
        message = f"{path} does not hold operating points this version can read; calibrate the run again"
        raise SchemaError(message) from error
    return points, alternatives


def read_bundle_points(bundle: Path, scores: pd.DataFrame) -> Points:
    """Read the operating points of the bundle that made the scores, such as one of ``screening recalibrate``.

    Raises
    ------
    BundleError
        If the folder holds no bundle.
    SchemaError
        If the scores are of another model version.
    """
    from screening.bundle import compute_version, load_manifest

    manifest, version = load_manifest(bundle), compute_version(bundle)
    n_others = int((scores["model_version"].astype(str) != version).sum()) if "model_version" in scores else len(scores)
    if n_others:
        message = (
            f"{n_others} of {len(scores)} posts were not scored by {bundle} (model version {version}); name the bundle "
            "that scored them (--bundle)"
        )
        raise SchemaError(message)
    return manifest.operating_points, ()


def validate_points(scores: pd.DataFrame, points: Sequence[OperatingPoint]) -> None:
    """Refuse operating points the score table's triage levels were not made with.

    Raises
    ------
    SchemaError
        Naming targets, or how many posts would have another level.
    """
    if not points:
        return
    columns = {point.name: f"risk_{point.name}" for point in points}
    missing = sorted(column for column in columns.values() if column not in scores.columns)
    if missing:
        message = f"the operating points are for other targets: the scores lack {missing}; name the run they come from"
        raise SchemaError(message)
    # A score may have been stored in single precision; the comparison runs in the precision it was made in.
    n_others = min(_count_others(scores, points, columns, precision) for precision in (np.float32, np.float64))
    if n_others:
        message = (
            f"{n_others} of {len(scores)} posts have another triage level than these operating points give; name the "
            "run or bundle that scored them (--run, --bundle)"
        )
        raise SchemaError(message)


def append_promises(session: Session, actor: SignedIn, now: datetime, points: Points) -> None:
    """Keep the points as an event, unless the last such event says the same."""
    if not any(points):
        return
    dumped = [[point.model_dump(mode="json") for point in group] for group in points]
    payload = {"points": dumped[0], "alternatives": dumped[1]}
    last = _load_last(session)
    if last is not None and to_canonical_json({name: last.get(name) for name in payload}) == to_canonical_json(payload):
        return
    append_event(session, at=now, actor=actor.user_name, kind=_KIND, payload=payload)


def load_promises(session: Session) -> tuple[OperatingPoint, ...]:
    """Load the latest points and alternatives; empty if scores came without any."""
    last = _load_last(session) or {}
    points = [*last.get("points", ()), *last.get("alternatives", ())]
    return tuple(OperatingPoint.model_validate(point) for point in points)


def _load_last(session: Session) -> dict[str, list[dict[str, object]]] | None:
    query = select(Event.payload).where(Event.kind == _KIND).order_by(Event.seq.desc()).limit(1)
    found = session.scalar(query)
    return json.loads(found) if found is not None else None


def _count_others(
    scores: pd.DataFrame, points: Sequence[OperatingPoint], columns: dict[str, str], precision: type[np.floating]
) -> int:
    values = {name: scores[column].to_numpy(dtype=precision) for name, column in columns.items()}
    return int((np.array(assign_triage(values, points), dtype=object) != scores["triage"].to_numpy(dtype=object)).sum())
