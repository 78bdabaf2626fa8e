"""What the registered model does with a table of posts: limits, thresholds and the table that goes back."""

import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import pandas as pd
from pydantic import Field

from pipelines.scoring.output import add_provenance
from screening.bundle import compute_version
from screening.config import DataConfig
from screening.exceptions import ConfigError, SchemaError
from screening.scoring import Screener
from screening.thresholds.triage import assign_triage
from screening.types import Record

THRESHOLD_PREFIX = "threshold_"
INPUT_COLUMNS = ("text", "post_id")
OPERATING_POINT, CERTIFIED, OVERRIDE = "operating_point", "certified", "override"

logger = logging.getLogger(__name__)


class ServingConfig(Record):
    """What an operator may change about a served model (MLflow's ``model_config``); callers may change none of it."""

    allow_threshold_override: bool = Field(
        False, strict=True, description="Whether a request may name thresholds of its own."
    )
    max_posts: int = Field(1_000, ge=1, description="Most posts in one HTTP request.")
    max_characters: int = Field(
        DataConfig().max_characters, ge=1, description="Longest post, as in a scoring job; it is read whole."
    )
    max_request_characters: int = Field(400_000, ge=1, description="Most characters of text in one HTTP request.")
    max_wait_seconds: float = Field(20.0, gt=0, description="Longest wait for the requests before; then 503.")
    max_request_bytes: int = Field(4 * 2**20, ge=1, description="Largest body of an HTTP request.")


@lru_cache(maxsize=1)
def load_once(bundle_dir: Path, version: str) -> Screener:
    """Load a bundle once per process, however often MLflow loads the model (Spark does for every task).

    Parameters
    ----------
    bundle_dir : Path
    version : str
        The bundle's (:func:`screening.bundle.compute_version`): a bundle replaced in its folder is loaded anew.
    """
    screener = Screener.load(bundle_dir)
    logger.info("loaded bundle %s", version)
    return screener


def load_screener(bundle_dir: Path) -> Screener:
    """Load a bundle, or give the one this process has loaded from that folder.

    Raises
    ------
    BundleError, NotCalibratedError
        See :meth:`screening.scoring.Screener.load`.
    """
    return load_once(bundle_dir.resolve(), compute_version(bundle_dir))


def choose_thresholds(
    screener: Screener, params: Mapping[str, float | None] | None, config: ServingConfig
) -> dict[str, float]:
    """Choose each target's threshold: the certified one, or the caller's where the operator lets callers choose.

    Parameters
    ----------
    screener : Screener
    params : mapping of str to float or None, optional
        ``threshold_<target>`` in [0, 1]; ``None`` is the certified one.
    config : ServingConfig

    Returns
    -------
    dict of str to float
        One threshold per target.

    Raises
    ------
    ConfigError
        If a parameter is none of the thresholds, not in [0, 1], or given though none may be.
    """
    certified = {point.name: point.threshold for point in screener.manifest.operating_points}
    given = {name: value for name, value in (params or {}).items() if value is not None}
    if unknown := sorted(set(given) - {f"{THRESHOLD_PREFIX}{name}" for name in certified}):
        message = f"expected no parameters but {THRESHOLD_PREFIX}<target>, found {len(unknown)} others"
        raise ConfigError(message)
    if given and not config.allow_threshold_override:
        message = (
            f"expected no {' or '.join(sorted(given))}: thresholds are certified when a run is calibrated, and this "
            "server does not let callers change them (its operator can, with allow_threshold_override)"
        )
        raise ConfigError(message)
    wrong = sorted(name for name, value in given.items() if not 0 <= value <= 1)
    if wrong:
        message = f"expected thresholds in [0, 1], found another value for {', '.join(wrong)}"
        raise ConfigError(message)
    return {name: float(given.get(f"{THRESHOLD_PREFIX}{name}", value)) for name, value in certified.items()}


def score_table(screener: Screener, posts: pd.DataFrame, thresholds: Mapping[str, float]) -> pd.DataFrame:
    """Score a table of posts and say which thresholds its triage rests on.

    Parameters
    ----------
    screener : Screener
    posts : DataFrame
        Column ``text``, and ``post_id`` where posts have one (else ``post-1``, ``post-2``, … within the table).
    thresholds : mapping of str to float
        See :func:`choose_thresholds`.

    Returns
    -------
    DataFrame
        The score table as ``screening score`` writes it (:func:`pipelines.scoring.output.add_provenance`), and
        ``operating_point``: ``certified``, or ``override`` if any threshold is not the one the promise is for.

    Raises
    ------
    SchemaError
        If a text is missing or empty, or an id is not unique; posts are named by id.
    """
    post_ids = posts["post_id"].tolist() if "post_id" in posts else None
    scores = screener.score(posts["text"].tolist(), post_ids)
    points = screener.manifest.operating_points
    moved = [point.model_copy(update={"threshold": thresholds[point.name]}) for point in points]
    is_certified = moved == list(points)
    if not is_certified:
        risks = {point.name: scores[f"risk_{point.name}"].to_numpy() for point in points}
        scores = scores.assign(triage=pd.Series(assign_triage(risks, moved), dtype="str"))
    made = add_provenance(scores, screener.version, moved)
    return made.assign(**{OPERATING_POINT: CERTIFIED if is_certified else OVERRIDE})


def write_nulls(table: pd.DataFrame) -> pd.DataFrame:
    """Replace NaN, which JSON does not have, by ``None``: what the encoder would say of posts it never read."""
    return table.astype(object).where(table.notna(), None)


def validate_size(posts: pd.DataFrame, config: ServingConfig) -> None:
    """Refuse a request of too many posts or too much text, before anything is cleaned.

    Raises
    ------
    SchemaError
        If a limit of the configuration is passed; posts are named by number.
    """
    if len(posts) > config.max_posts:
        message = (
            f"expected at most {config.max_posts:,} posts in one request, found {len(posts):,}; send several requests"
        )
        raise SchemaError(message)
    lengths = posts["text"].map(lambda text: len(text) if isinstance(text, str) else 0).to_numpy(dtype="int64")
    if (longest := lengths.max(initial=0)) > config.max_characters:
        message = (
            f"expected posts of at most {config.max_characters:,} characters, found {longest:,} in post "
            f"{lengths.argmax() + 1} of the request"
        )
        raise SchemaError(message)
    if (total := lengths.sum()) > config.max_request_characters:
        message = (
            f"expected at most {config.max_request_characters:,} characters of text in one request, found {total:,}; "
            "send several requests"
        )
        raise SchemaError(message)
