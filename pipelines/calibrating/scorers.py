"""Calibrated scorers of a run, the classifier's and the baseline's: what is promised with them, and for which posts."""

import numpy as np

from pipelines.artifacts import RunFolder
from pipelines.run import RunContext
from screening.calibration.temperature import TemperatureScaling
from screening.data.preparation import load_split
from screening.inference.forward import Logits
from screening.models.baseline import TfidfBaseline
from screening.thresholds.fitting import fit_operating_points
from screening.thresholds.promises import Promises
from screening.thresholds.scope import PromiseScope, build_scope

MODEL_FILE = "operating_points.json"
BASELINE_FILE = "baseline_operating_points.json"
SCOPE_STREAM, QUANTISATION_STREAM = 1, 2  # of random numbers: splits are carved from the same seed


class CalibratedScorer(Promises):
    """A temperature and what is promised with it; one for the classifier, one for the baseline."""

    temperature: TemperatureScaling


def read_scorer(folder: RunFolder, name: str) -> CalibratedScorer:
    """Read what the calibrate stage wrote for the classifier (``MODEL_FILE``) or the baseline (``BASELINE_FILE``)."""
    return CalibratedScorer.model_validate_json((folder.calibration / name).read_bytes())


def load_scope(context: RunContext) -> PromiseScope:
    """Read authors and groups of the calibration posts, and groups met before; the seed draws a post of each author."""
    promise = context.config.calibration
    posts = load_split(context.folder.split("calibration")).drop(columns="text")
    seeds = np.random.SeedSequence(context.config.seed, spawn_key=(SCOPE_STREAM,))
    rng = np.random.default_rng(seeds)
    names = ("train", "validation") if promise.group_columns else ()
    earlier = [load_split(context.folder.split(name)).drop(columns="text") for name in names]
    return build_scope(posts, unit=promise.unit, group_columns=promise.group_columns, rng=rng, earlier=earlier)


def require_positives(context: RunContext) -> None:
    """Refuse calibration posts that cannot carry the promise, whatever the scores: their number alone decides.

    Raises
    ------
    RecallNotReachableError
        Naming every target with too few, as calibrating would after the training.
    ConfigError
        See :func:`load_scope`.
    """
    labels = load_split(context.folder.split("calibration"))["label"].to_numpy()
    targets = context.taxonomy.targets
    any_scores = {target.name: np.full(len(labels), 0.5) for target in targets}
    fit_operating_points(targets, any_scores, labels, context.config.calibration, scope=load_scope(context))


def wrap_baseline_logits(baseline: TfidfBaseline, texts: list[str]) -> Logits:
    """Put the baseline's logits in the classifier's shape; it has no valence, intensity, tokens or window."""
    logits = baseline.compute_logits(texts).astype(np.float32)
    absent = np.full(len(texts), np.nan, dtype=np.float32)
    none = np.zeros(len(texts), dtype=np.int64)
    return Logits(logits, absent, absent, none, none, none.astype(bool))
