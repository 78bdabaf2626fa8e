"""Every training method beside plain cross-entropy, on every data set, with several seeds.

    OMP_NUM_THREADS=1 python benchmarks/objectives.py --data reddit2013 emotion      # hours; stop and start at will
    python benchmarks/objectives.py --table                                          # writes results/objectives.md

A cell is one system, data set and seed: trained, its epoch chosen on validation, its threshold calibrated, and read on
test once; an encoder once more with the word model's logits beside its own. Each finished cell is a line of the results
file, of an encoder two, with its predictions as class numbers (no text), so that the table and its paired intervals
come from that file alone; lines of other settings than the present ones stay in the file and out of the table. Killed
in the middle of a cell, the next call goes on from its last checkpoint; a second process takes other cells.
"""

import argparse
import hashlib
import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from objectives_table import ABLATED, BASELINE, DIGITS, name_ensemble, render_page
from rich.console import Console
from sklearn.metrics import average_precision_score

from pipelines.folder_lock import lock_folder
from pipelines.provenance import find_commit
from pipelines.run import run_stages
from pipelines.training_progress import TrainingProgress
from screening.calibration.ensemble import fit_ensemble_weight
from screening.calibration.temperature import fit_temperature
from screening.config import RunConfig, load_config
from screening.data.preparation import load_split
from screening.exceptions import ConfigError, RecallNotReachableError
from screening.inference import describe_hardware, load_engine, resolve_precision, run_engine
from screening.inference.precision import compute_score_tolerance
from screening.metrics.confusion import LABEL_METRICS, compute_confusion_matrix
from screening.models.baseline import TfidfBaseline
from screening.scoring import compute_risk_scores
from screening.taxonomy import Taxonomy, load_taxonomy
from screening.thresholds.promises import fit_promises
from screening.training.fitting import fit_classifier, summarise_history

RESULTS = Path(__file__).parent / "results" / "objectives.jsonl"
WORK = Path("runs/objectives")
RECURRENT = ("objective.preset=cross_entropy", "training.learning_rate=3e-3", "training.epochs=8")
PLAIN = ("objective.preset=cross_entropy",)
CMHL = ("objective.preset=cmhl",)
LONGER = ("training.epochs=4", "training.ema_decay=0.99")
LAST_WEIGHTS = ("training.ema_decay=null",)
DISTILLED = "objective.preset=distillation"
TEACHERS = (
    "scl_joint",
    "layer_attentive",
    "cmhl",
)  # the best on validation of emotion, one of each for their differences; their weights are not averaged

SHORT = ("model.max_tokens=64", "training.epochs=2", "training.save_every_steps=200")
DATA: dict[str, tuple[str, ...]] = {
    "reddit2013": ("model.max_tokens=128", "training.epochs=3", "training.save_every_steps=200"),
    "emotion": SHORT,
    "goemotions": SHORT,
    "empathetic_dialogues": SHORT,
    "sst5": SHORT,
}
"""What differs from the shipped configuration of the same name, for all systems alike."""

ABLATIONS: dict[str, tuple[str, ...]] = {
    f"{ABLATED}, form B": (*CMHL, "objective.contradiction_form=B"),
    f"{ABLATED}, form C": (*CMHL, "objective.contradiction_form=C"),
    f"{ABLATED}, no contradiction": (*CMHL, "objective.weights.contradiction=0"),
    f"{ABLATED}, no valence_intensity": (*CMHL, "objective.weights.valence_intensity=0"),
    f"{ABLATED}, with scl": (*CMHL, "objective.weights.scl=0.1"),
}

SYSTEMS: dict[str, tuple[str, ...]] = {
    "cross_entropy": PLAIN,
    "cmhl": CMHL,
    "scl_joint": ("objective.preset=scl_joint",),
    "layer_attentive": ("objective.preset=layer_attentive",),
    BASELINE: (),
    "rnn": ("model.encoder=rnn", *RECURRENT),
    "gru": ("model.encoder=gru", *RECURRENT),
    "scl_two_phase": ("objective.preset=scl_two_phase",),
    "carl": ("objective.preset=carl", "pretraining.path=../shared/data/emobank"),
    "lcl": ("objective.preset=lcl",),
    "lcl, head": ("objective.preset=lcl", "objective.weighting_network=head"),
    **ABLATIONS,
    "cmhl, 4 epochs, averaged": (*CMHL, *LONGER),
    "scl, then cmhl": (*CMHL, "objective.weights.scl=1", "objective.schedule=two_phase"),
    "r_drop": ("objective.preset=r_drop",),
    "distilled, 4 epochs, averaged": (DISTILLED, *LONGER),
}
"""Names and what they change in the configuration, later ones over earlier ones; ``tfidf`` is no encoder."""

TRAINED_BY = {"seed", "data", "model", "objective", "pretraining", "training", "calibration"}
"""Sections of a configuration on which a cell depends."""


@dataclass(frozen=True)
class Cell:
    """One system on one data set with one seed, and what else it changes."""

    data: str
    system: str
    seed: int
    changes: tuple[str, ...] = ()

    @property
    def overrides(self) -> tuple[str, ...]:
        """What it changes in the shipped configuration."""
        folders = ", ".join(f"runs/{name}/model" for name in self.teachers)
        taught = (f"objective.teachers=[{folders}]",) if folders else ()
        return (*DATA[self.data], *SYSTEMS[self.system], *taught, *self.changes)

    @property
    def teachers(self) -> dict[str, "Cell"]:
        """Cells whose classifiers it learns from, by the runs that keep them; the same for students of every seed."""
        if DISTILLED not in SYSTEMS[self.system]:
            return {}
        return {f"objectives-{self.data}-{system}": Cell(self.data, system, 0, LAST_WEIGHTS) for system in TEACHERS}

    @property
    def digest(self) -> str:
        """Changes with the shipped configuration, the overrides and the teachers, so that no line of others is taken.

        A setting at its default is left out: a new field of the configuration leaves finished cells valid.
        """
        settings = self.load_config().model_dump(mode="json", include=TRAINED_BY, exclude_defaults=True)
        settings["training"].pop("seed")
        parts = (self.system, json.dumps(settings, sort_keys=True), *(cell.digest for cell in self.teachers.values()))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]

    @property
    def folder(self) -> Path:
        """Where its checkpoints are while it is trained."""
        return WORK / f"{self.data}-{self.digest}-{self.seed}"

    def load_config(self, name: str | None = None) -> RunConfig:
        """Load its configuration; all cells of a data set share one division into splits, and a run if not named."""
        fixed = (f"name={name or f'objectives-{self.data}'}", "training.n_threads=1", f"training.seed={self.seed}")
        return load_config(f"pipelines/configs/{self.data}.yaml", [*fixed, *self.overrides])


@dataclass(frozen=True)
class Outputs:
    """What a trained system says, and what training it took."""

    logits: dict[str, np.ndarray]
    precision: str | None
    epochs: list[dict[str, Any]]
    n_parameters: int


def list_names(system: str) -> tuple[str, ...]:
    """List the names under which a cell of a system writes a line each."""
    return (system,) if system == BASELINE else (system, name_ensemble(system))


def run_cell(cell: Cell, console: Console) -> list[dict[str, Any]]:
    """Train, calibrate and measure one cell; an encoder also in an ensemble with the word model, as a line more."""
    config = cell.load_config()
    taxonomy = load_taxonomy(config.data.taxonomy)
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


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read what finished cells wrote; a line cut off by a kill is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):
            lines.append(json.loads(text))
    return lines


def append_results(path: Path, lines: list[dict[str, Any]]) -> None:
    """Append what a cell wrote; what a kill cut off before stays a line of its own."""
    is_cut = path.exists() and path.read_bytes()[-1:] not in {b"", b"\n"}
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if is_cut else "") + "".join(json.dumps(line) + "\n" for line in lines))


def select_current(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Select the lines of the present settings."""
    digests = {system: {Cell(data, system, 0).digest for data in DATA} for system in SYSTEMS}
    current = {(digest, name) for system in SYSTEMS for digest in digests[system] for name in list_names(system)}
    return [line for line in lines if (line["digest"], line["system"]) in current]


def list_open(options: argparse.Namespace) -> Iterator[Cell]:
    """List cells that miss a line, one seed of everything before the next seed."""
    for seed in options.seeds:
        for data in options.data:
            for system in options.systems:
                cell = Cell(data, system, seed)
                wanted = (cell.digest, seed)
                lines = read_results(options.results)
                done = {line["system"] for line in lines if (line["digest"], line["seed"]) == wanted}
                if not done.issuperset(list_names(system)):
                    yield cell


def run_cells(options: argparse.Namespace) -> None:
    """Run the open cells that no other process works on."""
    console = Console()
    for cell in list_open(options):
        torch.manual_seed(cell.seed)
        random.seed(cell.seed)
        try:
            with lock_folder(WORK / "locks" / cell.folder.name, "busy"):
                console.rule(f"{cell.data}, {cell.system}, seed {cell.seed}")
                cell.folder.mkdir(parents=True, exist_ok=True)
                append_results(options.results, run_cell(cell, console))
                shutil.rmtree(cell.folder)
        except ConfigError as error:
            if str(error) != "busy":
                raise


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA), metavar="NAME", help=", ".join(DATA))
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="NAME", help="; ".join(SYSTEMS)
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON lines of finished cells")
    parser.add_argument("--table", action="store_true", help="write the page of finished cells and run nothing")
    return parser.parse_args(arguments)


def main() -> None:
    """Run what is open, then write the page of what is finished beside the results."""
    options = parse_options()
    if not options.table:
        options.results.parent.mkdir(parents=True, exist_ok=True)
        run_cells(options)
    order = [name for system in SYSTEMS for name in list_names(system)]
    page = options.results.with_suffix(".md")
    page.write_text(
        render_page(select_current(read_results(options.results)), order, list(ABLATIONS)), encoding="utf-8"
    )
    print(page)


if __name__ == "__main__":
    main()
