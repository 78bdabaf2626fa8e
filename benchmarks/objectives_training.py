"""One cell of objectives.py: trained or gone on with, calibrated, and read on test once."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from objectives_cells import WORK, Cell
from objectives_table import BASELINE, DIGITS, name_ensemble
from rich.console import Console
from sklearn.metrics import average_precision_score

from pipelines.provenance import find_commit
from pipelines.run import run_stages
from pipelines.training_progress import TrainingProgress
from screening.calibration.ensemble import fit_ensemble_weight
from screening.calibration.temperature import fit_temperature
from screening.config import RunConfig
from screening.data.preparation import load_split
from screening.exceptions import RecallNotReachableError
from screening.inference.backends import load_engine
from screening.inference.forward import run_engine
from screening.inference.precision import compute_score_tolerance, describe_hardware, resolve_precision
from screening.metrics.confusion import LABEL_METRICS, compute_confusion_matrix
from screening.models.baseline import TfidfBaseline
from screening.scoring import compute_risk_scores
from screening.taxonomy import Taxonomy, load_taxonomy
from screening.thresholds.promises import fit_promises
from screening.training.fitting import fit_classifier, summarise_history


@dataclass(frozen=True)
class Outputs:
    """What a trained system says, and what training it took."""

    logits: dict[str, np.ndarray]
    precision: str | None
    epochs: list[dict[str, Any]]
    n_parameters: int


def run_cell(cell: Cell, console: Console) -> list[dict[str, Any]]:
    """Train, calibrate and measure one cell; an encoder also in an ensemble with the word model, as a line more."""
    config = cell.load_config()
    taxonomy = load_taxonomy(config.data.taxonomy)
    with FileLock(WORK / f"{cell.data}.lock"):  # what cells share: another process may be making it just now
        folder = run_stages(config, ("prepare",), Console(quiet=True))
        for name, teacher in cell.teachers.items():
            run_stages(teacher.load_config(name), ("prepare", "train"), console)
    posts = {name: load_split(folder.split(name)) for name in ("train", "validation", "calibration", "test")}
    is_resumed = cell.folder.exists() and any(cell.folder.iterdir())
    started, worked = time.perf_counter(), time.process_time()
    if cell.system == BASELINE:
        outputs = fit_baseline(posts, taxonomy, cell.seed)
    else:
        outputs = fit_encoder(config, taxonomy, posts, cell.folder, console)
    facts = {
        "seed": cell.seed,
        "digest": cell.digest,
        "overrides": cell.overrides,
        "n": {name: len(split) for name, split in posts.items()},
        "epochs": outputs.epochs,
        "n_parameters": outputs.n_parameters,
        "precision": outputs.precision,
        "seconds": None if is_resumed else round(time.perf_counter() - started, 1),
        "processor_seconds": None if is_resumed else round(time.process_time() - worked, 1),
        "hardware": describe_hardware(),
        "commit": find_commit(),
    }
    lines = [{"data": cell.data, "system": cell.system, **measure(outputs, posts, taxonomy, config), **facts}]
    if cell.system != BASELINE:
        outputs, weight = add_word_model(outputs, posts, taxonomy, cell.seed)
        measured = measure(outputs, posts, taxonomy, config) | {"words_weight": weight}
        lines.append({"data": cell.data, "system": name_ensemble(cell.system), **measured, **facts})
    return lines


def add_word_model(
    outputs: Outputs, posts: dict[str, pd.DataFrame], taxonomy: Taxonomy, seed: int
) -> tuple[Outputs, float]:
    """Add the word model's logits with the weight that is best on validation."""
    said = fit_baseline(posts, taxonomy, seed).logits
    labels = taxonomy.encode(posts["validation"]["label"])
    weight = fit_ensemble_weight(outputs.logits["validation"], said["validation"], labels)
    logits = {name: encoded + weight * said[name] for name, encoded in outputs.logits.items()}
    return replace(outputs, logits=logits), weight


def fit_baseline(posts: dict[str, pd.DataFrame], taxonomy: Taxonomy, seed: int) -> Outputs:
    """Fit TF-IDF and logistic regression."""
    train = posts["train"]
    y = np.array(taxonomy.encode(train["label"]))
    model = TfidfBaseline.fit(train["text"].tolist(), y, len(taxonomy.names), seed)
    read = ("validation", "calibration", "test")
    logits = {name: model.compute_logits(posts[name]["text"].tolist()) for name in read}
    return Outputs(logits, None, [], model.coefficients.size + model.intercept.size)


def fit_encoder(
    config: RunConfig, taxonomy: Taxonomy, posts: dict[str, pd.DataFrame], folder: Path, console: Console
) -> Outputs:
    """Fit a classifier, going on from its checkpoints, and let it read three splits."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = resolve_precision(config.training.precision, device)
    fitted = fit_classifier(
        config,
        taxonomy,
        posts["train"],
        posts["validation"],
        folder,
        precision=precision,
        callbacks=(TrainingProgress(console),),
    )
    engine = load_engine(fitted.classifier, "torch", precision)
    logits = {
        name: run_engine(
            engine,
            fitted.tokenizer,
            posts[name]["text"].tolist(),
            max_tokens=config.model.max_tokens,
            long_posts=config.inference.long_posts,
        ).logits
        for name in ("validation", "calibration", "test")
    }
    epochs = json.loads(summarise_history(fitted.history).to_json(orient="records"))
    return Outputs(logits, precision, epochs, fitted.classifier.num_parameters())


def measure(outputs: Outputs, posts: dict[str, pd.DataFrame], taxonomy: Taxonomy, config: RunConfig) -> dict[str, Any]:
    """Measure on test what the label says, and what the threshold of the most urgent target promises."""
    true = {name: np.array(taxonomy.encode(posts[name]["label"])) for name in outputs.logits}
    temperature = fit_temperature(outputs.logits["validation"], true["validation"])
    risks = {
        name: compute_risk_scores(temperature.compute_probabilities(logits), taxonomy)
        for name, logits in outputs.logits.items()
    }
    predicted = {name: logits.argmax(axis=1) for name, logits in outputs.logits.items()}
    target = taxonomy.targets[0]
    is_positive = {name: np.isin(labels, taxonomy.target_indices(target)) for name, labels in true.items()}
    tolerance = compute_score_tolerance(outputs.precision, temperature.temperature) if outputs.precision else 0.0
    labels = posts["calibration"]["label"].to_numpy()
    try:
        promises = fit_promises((target,), risks["calibration"], labels, config.calibration, score_tolerance=tolerance)
        flagged = promises.operating_points[0].flag(risks["test"][target.name])
    except RecallNotReachableError:
        flagged = None
    is_predicted = np.isin(predicted["test"], taxonomy.target_indices(target))
    return {
        "validation": compute_metrics(true["validation"], predicted["validation"], len(taxonomy.names))
        | {"average_precision": average_precision_score(is_positive["validation"], risks["validation"][target.name])},
        "test": compute_metrics(true["test"], predicted["test"], len(taxonomy.names))
        | {"average_precision": average_precision_score(is_positive["test"], risks["test"][target.name])},
        "target": {"name": target.name, "labels": taxonomy.target_indices(target)}
        | {"argmax": count_flags(is_positive["test"], is_predicted)}
        | {"promised": count_flags(is_positive["test"], flagged) if flagged is not None else None},
        "true": "".join(DIGITS[i] for i in true["test"]),
        "predicted": "".join(DIGITS[i] for i in predicted["test"]),
        "flagged": "".join(str(int(flag)) for flag in flagged) if flagged is not None else None,
    }


def compute_metrics(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> dict[str, float]:
    """Compute accuracy, macro F1, weighted F1 and macro recall."""
    matrix = compute_confusion_matrix(true, predicted, n_classes=n_classes)
    return {name: float(compute(matrix)) for name, compute in LABEL_METRICS.items()}


def count_flags(is_positive: np.ndarray, is_flagged: np.ndarray) -> dict[str, float]:
    """Compute recall, precision and alerts per 1,000 posts."""
    n_found = int((is_positive & is_flagged).sum())
    return {
        "recall": n_found / int(is_positive.sum()),
        "precision": n_found / max(int(is_flagged.sum()), 1),
        "alerts_per_1000": 1_000 * float(is_flagged.mean()),
    }
