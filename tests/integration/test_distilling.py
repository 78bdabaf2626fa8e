"""Several trainings on the same splits made into one, from the command line."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipelines.artifacts import RunFolder
from pipelines.cli import app
from screening.exceptions import ConfigError


def _run(config: Path, name: str, *settings: str, command: str = "run") -> None:
    chosen = [option for setting in (f"name={name}", *settings) for option in ("--set", setting)]
    done = CliRunner().invoke(app, [command, "--config", str(config), *chosen], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_a_student_learns_from_teachers_of_the_same_splits_and_of_no_others(small_config: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for stage in ("prepare", "train"):
        for seed in (1, 2):
            _run(small_config, f"teacher-{seed}", f"training.seed={seed}", command=stage)
    teachers = [runs / f"teacher-{seed}" / "model" for seed in (1, 2)]
    learning = ["objective.preset=distillation", f"objective.teachers=[{', '.join(map(str, teachers))}]"]
    _run(small_config, "student", *learning, command="prepare")
    _run(small_config, "student", *learning, command="train")
    ids = [
        pd.read_parquet(RunFolder(runs / name).split("test"))["post_id"].tolist() for name in ("teacher-1", "student")
    ]
    assert ids[0] == ids[1]
    history = pd.read_json(RunFolder(runs / "student").history)
    assert (history["train_loss_distillation"] > 0).all()
    _run(small_config, "other", *learning, "seed=5", command="prepare")
    with pytest.raises(ConfigError, match="is not the folder model/ of a run that was trained on the same posts"):
        _run(small_config, "other", *learning, "seed=5", command="train")
    assert not RunFolder(runs / "other").model.exists()
