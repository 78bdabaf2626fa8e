"""Stage calibrate: temperature on validation, recall-promised thresholds on calibration, then the bundle."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from pipelines.artifacts import write_json
from pipelines.calibrating.cascade import CARD_FILE, ENCODER_FILE, HELD_OUT_FILE, FirstStage, fit_first_stage
from pipelines.calibrating.scorers import (
    BASELINE_FILE,
    MODEL_FILE,
    QUANTISATION_STREAM,
    CalibratedScorer,
    load_scope,
    require_positives,
    wrap_baseline_logits,
)
from pipelines.progress import show_progress
from pipelines.run import RunContext
from screening.bundle import BundleManifest, save_bundle
from screening.calibration.ensemble import fit_ensemble_weight
from screening.calibration.temperature import fit_temperature
from screening.data.preparation import load_split
from screening.exceptions import ConfigError
from screening.inference.backends import find_versions, load_engine, require_backend
from screening.inference.forward import Logits
from screening.inference.precision import Precision, compute_score_tolerance, resolve_precision
from screening.inference.quantisation import N_POSTS, quantise
from screening.inference.scoring_path import ScoringPath
from screening.inference.windows import split_into_windows
from screening.metrics.validation import BoolArray
from screening.models.baseline import TfidfBaseline
from screening.models.classifier import load_classifier
from screening.models.quantised import QuantisedModel
from screening.reference_posts import REFERENCE_POSTS
from screening.scoring import build_score_table, compute_risk_scores
from screening.thresholds.cascade import combine_risks, count_losses, require_read_posts
from screening.thresholds.promises import fit_promises, require_budget
from screening.thresholds.scope import PromiseScope
from screening.whole_writes import write_folder_whole

Outputs = Mapping[str, Logits]
FITTED_SPLITS = ("validation", "calibration")
MIN_POSTS_OF_A_TERM = 10


def refuse_early(context: RunContext) -> None:
    """Say before the training what calibrating would refuse after it: a missing backend, too few positives.

    Raises
    ------
    NotCalibratedError
        If the backend is not installed.
    RecallNotReachableError, ConfigError
        See :func:`~pipelines.calibrating.scorers.require_positives`.
    """
    inference = context.config.inference
    require_backend(inference.backend, inference.quantisation)
    require_positives(context)


def run(context: RunContext) -> None:
    """Write ``calibration/`` (operating points, scores of the calibration split) and ``bundle/``.

    With a cascade, the first stage is fitted before a calibration post is read, and what is promised is promised for
    both stages together; what the encoder alone would promise is kept to compare with.

    Raises
    ------
    ConfigError
        If the calibration split lacks a configured column, or the cascade its controls.
    RecallNotReachableError
        If a recall promise or the alert budget cannot be kept; nothing is written.
    """
    scope = load_scope(context)
    first_stage = fit_first_stage(context)
    classifier, tokenizer = load_classifier(context.folder.model)
    config = context.config
    precision = resolve_precision(config.training.precision)
    quantised = _quantise(context, classifier, tokenizer)
    engine = load_engine(classifier, config.inference.backend, precision, quantised)
    path = ScoringPath(
        engine,
        tokenizer,
        config.model.max_tokens,
        config.inference.long_posts,
        has_scales=classifier.config.has_trained_scales,
    )
    texts = {split: load_split(context.folder.split(split))["text"].tolist() for split in FITTED_SPLITS}
    outputs = {split: _compute_logits(context, path, split, texts[split]) for split in FITTED_SPLITS}
    baseline = TfidfBaseline.load(context.folder.baseline)
    baseline_outputs = {split: wrap_baseline_logits(baseline, texts[split]) for split in FITTED_SPLITS}
    if config.inference.ensemble == "tfidf":
        path = _add_word_model(context, path, outputs["validation"], texts["validation"])
        outputs = {split: path.add_words(outputs[split], texts[split]) for split in FITTED_SPLITS}
    tolerance = partial(compute_score_tolerance, precision, quantisation=config.inference.quantisation)
    scorer, scores = _calibrate(context, scope, outputs, tolerance, first_stage)
    require_budget(scorer)
    baseline_scorer, _ = _calibrate(context, scope, baseline_outputs, None)
    with write_folder_whole(context.folder.calibration) as aside:
        scores.to_parquet(aside / "calibration.parquet", index=False)
        write_json(aside / MODEL_FILE, scorer.model_dump(mode="json"))
        write_json(aside / BASELINE_FILE, baseline_scorer.model_dump(mode="json"))
        if first_stage is not None:
            encoder_scorer, _ = _calibrate(context, scope, outputs, tolerance)
            write_json(aside / ENCODER_FILE, encoder_scorer.model_dump(mode="json"))
            write_json(aside / CARD_FILE, first_stage.card.model_dump(mode="json"))
            first_stage.held_out.to_parquet(aside / HELD_OUT_FILE, index=False)
    manifest = _build_manifest(context, scorer, path, precision, first_stage)
    gate = first_stage.gate if first_stage else None
    save_bundle(context.folder.bundle, classifier, tokenizer, manifest, gate, quantised=quantised, words=path.words)
    first_lines = (first_stage.threshold,) if first_stage else ()
    for line in (*first_lines, *scorer.operating_points, *scorer.alternatives, *scorer.budgets):
        context.console.print(str(line), highlight=False)


def _quantise(context: RunContext, classifier: Any, tokenizer: Any) -> QuantisedModel | None:
    """Quantise the classifier as configured, on training posts alone: the promise is for a score fixed beforehand."""
    config = context.config
    if config.inference.quantisation == "none":
        return None
    texts = load_split(context.folder.split("train"))["text"]
    rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(QUANTISATION_STREAM,)))
    drawn = texts.iloc[rng.permutation(len(texts))[:N_POSTS]].tolist()
    windows = split_into_windows(tokenizer, drawn, config.model.max_tokens, config.inference.long_posts)
    context.console.print(f"quantising to int8 on {len(drawn)} training posts…", highlight=False)
    return quantise(classifier, windows.token_ids)


def _compute_logits(context: RunContext, path: ScoringPath, split: str, texts: list[str]) -> Logits:
    with show_progress(context.console, split) as on_progress:
        return path.compute_logits(texts, on_progress)


def _add_word_model(context: RunContext, path: ScoringPath, encoded: Logits, texts: list[str]) -> ScoringPath:
    """Fit a word model on training posts, and the weight of its logits on validation posts; 0 leaves it out.

    Not the report's comparator: bundles travel, and digests of words can be guessed, so that only words of many posts
    are learnt.
    """
    train, taxonomy = load_split(context.folder.split("train")), context.taxonomy
    y = np.array(taxonomy.encode(train["label"]))
    try:
        words = TfidfBaseline.fit(
            train["text"].tolist(), y, len(taxonomy.names), context.config.seed, min_posts=MIN_POSTS_OF_A_TERM
        )
    except ValueError as error:
        message = (
            f"inference.ensemble=tfidf learns words that stand in {MIN_POSTS_OF_A_TERM} training posts or more, and "
            f"finds none in {len(train)} posts; set inference.ensemble=none"
        )
        raise ConfigError(message) from error
    labels = taxonomy.encode(load_split(context.folder.split("validation"))["label"])
    weight = fit_ensemble_weight(encoded.logits, words.compute_logits(texts), labels)
    context.console.print(f"the word model's logits count {weight:.3g} times beside the encoder's", highlight=False)
    return replace(path, words=words, words_weight=weight) if weight > 0 else path


def _calibrate(
    context: RunContext,
    scope: PromiseScope,
    outputs: Outputs,
    compute_tolerance: Callable[[float], float] | None,
    first_stage: FirstStage | None = None,
) -> tuple[CalibratedScorer, pd.DataFrame]:
    """Fit the temperature on validation and thresholds on calibration; also return the calibration scores.

    The score tolerance follows from the temperature; without one, scores are taken to be the same in every batch.
    """
    taxonomy = context.taxonomy
    validation, calibration = (load_split(context.folder.split(name)) for name in FITTED_SPLITS)
    labels = calibration["label"].to_numpy()
    temperature = fit_temperature(outputs["validation"].logits, taxonomy.encode(validation["label"]))
    is_read = _find_read(first_stage, calibration["text"].tolist())
    risks = compute_risk_scores(temperature.compute_probabilities(outputs["calibration"].logits), taxonomy)
    tolerance = compute_tolerance(temperature.temperature) if compute_tolerance else 0.0
    promises = fit_promises(
        taxonomy.targets,
        combine_risks(risks, is_read),
        labels,
        context.config.calibration,
        scope=scope,
        score_tolerance=tolerance,
    )
    points = promises.operating_points
    require_read_posts((*points, *promises.alternatives), count_losses(is_read, labels, taxonomy.targets))
    ids = calibration["post_id"].tolist()
    scores = build_score_table(ids, outputs["calibration"], taxonomy, temperature, points, is_cleared=~is_read)
    scores.insert(1, "label", labels)
    for i, name in enumerate(taxonomy.names):
        scores[f"logit_{name}"] = outputs["calibration"].logits[:, i]
    return CalibratedScorer(temperature=temperature, **dict(promises)), scores


def _find_read(first_stage: FirstStage | None, texts: list[str]) -> BoolArray:
    """Find the posts the encoder reads, shape (n_posts,): all of them without a first stage."""
    if first_stage is None:
        return np.ones(len(texts), dtype=bool)
    return first_stage.threshold.read(first_stage.gate.compute_scores(texts))


def _build_manifest(
    context: RunContext,
    scorer: CalibratedScorer,
    path: ScoringPath,
    precision: Precision,
    first_stage: FirstStage | None,
) -> BundleManifest:
    record = context.folder.read_record()
    return BundleManifest(
        name=context.config.name,
        created_at=datetime.now(UTC).replace(microsecond=0),
        run_id=record.run_id if record else "",
        encoder=context.config.model.encoder,
        max_tokens=path.max_tokens,
        long_posts=path.long_posts,
        backend=context.config.inference.backend,
        precision=precision,
        quantisation=context.config.inference.quantisation,
        words_weight=path.words_weight,
        is_synthetic=context.config.data.source == "synthetic",
        taxonomy=context.taxonomy,
        temperature=scorer.temperature,
        operating_points=scorer.operating_points,
        first_stage=first_stage.threshold if first_stage else None,
        versions=find_versions(context.config.inference.backend),
        reference_logits=path.compute_logits(REFERENCE_POSTS).logits.tolist(),
    )
