"""Stage calibrate: temperature on validation, recall-promised thresholds on calibration, then the bundle."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from pipelines.artifacts import RunFolder, write_json
from pipelines.progress import show_progress
from pipelines.run import RunContext
from screening.bundle import BundleManifest, save_bundle
from screening.calibration.temperature import TemperatureScaling, fit_temperature
from screening.data.preparation import load_split
from screening.inference.forward import Logits, compute_logits
from screening.inference.precision import SCORE_TOLERANCE, Precision, resolve_precision
from screening.models.baseline import TfidfBaseline
from screening.models.classifier import RiskClassifier
from screening.scoring import build_score_table, compute_risk_scores
from screening.thresholds.promises import Promises, fit_promises, require_budget
from screening.thresholds.scope import PromiseScope, build_scope
from screening.whole_writes import write_folder_whole

LogitFunction = Callable[[pd.DataFrame, str], Logits]
MODEL_FILE = "operating_points.json"
BASELINE_FILE = "baseline_operating_points.json"
SCOPE_KEY = 1  # a stream of its own: splits are carved from the same seed


class CalibratedScorer(Promises):
    """A temperature and what is promised with it; one for the classifier, one for the baseline."""

    temperature: TemperatureScaling


def run(context: RunContext) -> None:
    """Write ``calibration/`` (operating points, scores of the calibration split) and ``bundle/``.

    Raises
    ------
    ConfigError
        If the calibration split lacks a configured column.
    RecallNotReachableError
        If a recall promise or the alert budget cannot be kept; nothing is written.
    """
    scope = load_scope(context)
    classifier, tokenizer = load_model(context.folder)
    config = context.config
    precision = resolve_precision(config.training.precision)

    def compute_classifier_logits(posts: pd.DataFrame, title: str) -> Logits:
        with show_progress(context.console, title) as on_progress:
            return compute_logits(
                classifier,
                tokenizer,
                posts["text"].tolist(),
                max_tokens=config.model.max_tokens,
                long_posts=config.inference.long_posts,
                precision=precision,
                on_progress=on_progress,
            )

    baseline = TfidfBaseline.load(context.folder.baseline)
    scorer, scores = _calibrate(context, scope, compute_classifier_logits, SCORE_TOLERANCE[precision])
    require_budget(scorer)
    baseline_scorer, _ = _calibrate(context, scope, lambda posts, _: wrap_baseline_logits(baseline, posts), 0.0)
    with write_folder_whole(context.folder.calibration) as aside:
        scores.to_parquet(aside / "calibration.parquet", index=False)
        write_json(aside / MODEL_FILE, scorer.model_dump(mode="json"))
        write_json(aside / BASELINE_FILE, baseline_scorer.model_dump(mode="json"))
    save_bundle(context.folder.bundle, classifier, tokenizer, _build_manifest(context, scorer, precision))
    for line in (*scorer.operating_points, *scorer.alternatives, *scorer.budgets):
        context.console.print(str(line), highlight=False)


def load_scope(context: RunContext) -> PromiseScope:
    """Read authors and groups of the calibration posts, and groups met before; the seed draws a post of each author."""
    promise = context.config.calibration
    posts = load_split(context.folder.split("calibration")).drop(columns="text")
    seeds = np.random.SeedSequence(context.config.seed, spawn_key=(SCOPE_KEY,))
    rng = np.random.default_rng(seeds)
    names = ("train", "validation") if promise.group_columns else ()
    earlier = [load_split(context.folder.split(name)).drop(columns="text") for name in names]
    return build_scope(posts, unit=promise.unit, group_columns=promise.group_columns, rng=rng, earlier=earlier)


def load_model(folder: RunFolder) -> tuple[Any, Any]:
    """Load the run's classifier and tokenizer."""
    from transformers import AutoTokenizer

    classifier = RiskClassifier.from_pretrained(folder.model, use_safetensors=True)
    return classifier.eval(), AutoTokenizer.from_pretrained(folder.model)


def read_scorer(folder: RunFolder, name: str) -> CalibratedScorer:
    """Read what this stage wrote for the classifier (``MODEL_FILE``) or the baseline (``BASELINE_FILE``)."""
    return CalibratedScorer.model_validate_json((folder.calibration / name).read_bytes())


def wrap_baseline_logits(baseline: TfidfBaseline, posts: pd.DataFrame) -> Logits:
    """Put the baseline's logits in the classifier's shape; it has no valence, intensity, tokens or window."""
    logits = baseline.compute_logits(posts["text"].tolist()).astype(np.float32)
    absent = np.full(len(posts), np.nan, dtype=np.float32)
    none = np.zeros(len(posts), dtype=np.int64)
    return Logits(logits, absent, absent, none, none, none.astype(bool))


def _calibrate(
    context: RunContext, scope: PromiseScope, logits_of: LogitFunction, score_tolerance: float
) -> tuple[CalibratedScorer, pd.DataFrame]:
    """Fit the temperature on validation and thresholds on calibration; also return the calibration scores."""
    taxonomy = context.taxonomy
    validation, calibration = (load_split(context.folder.split(name)) for name in ("validation", "calibration"))
    on_validation = logits_of(validation, "validation").logits
    temperature = fit_temperature(on_validation, taxonomy.encode(validation["label"]))
    outputs = logits_of(calibration, "calibration")
    risks = compute_risk_scores(temperature.compute_probabilities(outputs.logits), taxonomy)
    promises = fit_promises(
        taxonomy.targets,
        risks,
        calibration["label"].to_numpy(),
        context.config.calibration,
        scope=scope,
        score_tolerance=score_tolerance,
    )
    ids = calibration["post_id"].tolist()
    scores = build_score_table(ids, outputs, taxonomy, temperature, promises.operating_points)
    scores.insert(1, "label", calibration["label"].to_numpy())
    for i, name in enumerate(taxonomy.names):
        scores[f"logit_{name}"] = outputs.logits[:, i]
    return CalibratedScorer(temperature=temperature, **dict(promises)), scores


def _build_manifest(context: RunContext, scorer: CalibratedScorer, precision: Precision) -> BundleManifest:
    record = context.folder.read_record()
    return BundleManifest(
        name=context.config.name,
        created_at=datetime.now(UTC).replace(microsecond=0),
        run_id=record.run_id if record else "",
        encoder=context.config.model.encoder,
        max_tokens=context.config.model.max_tokens,
        long_posts=context.config.inference.long_posts,
        precision=precision,
        is_synthetic=context.config.data.source == "synthetic",
        taxonomy=context.taxonomy,
        temperature=scorer.temperature,
        operating_points=scorer.operating_points,
    )
