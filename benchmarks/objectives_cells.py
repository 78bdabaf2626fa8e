"""What is compared in objectives.py: the systems by name, the data sets, and one cell of the two with a seed."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from objectives_table import ABLATED, BASELINE, name_ensemble

from screening.config import RunConfig, load_config

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
    "cross_entropy, 4 epochs, averaged": (*PLAIN, *LONGER),
    "cmhl, 4 epochs, averaged": (*CMHL, *LONGER),
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


def list_names(system: str) -> tuple[str, ...]:
    """List the names under which a cell of a system writes a line each."""
    return (system,) if system == BASELINE else (system, name_ensemble(system))
