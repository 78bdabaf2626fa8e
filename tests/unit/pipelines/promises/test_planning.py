"""The plan: rows from the planner, alerts from a run's calibration scores, clear refusals."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.promises.planning import build_plan_table, make_plan
from screening.config import dump_config, load_config
from screening.exceptions import ConfigError, MissingArtifactError
from screening.thresholds.planner import estimate_alerts, plan_positives
from tests.unit.pipelines.test_cli import run_screening


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with the config and the calibration scores of a run, nothing else."""
    folder = RunFolder(tmp_path / "r")
    folder.calibration.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = rng.choice(["suicidewatch", "anxiety", "offmychest"], 600)
    table = pd.DataFrame({"post_id": [f"p{i}" for i in range(600)], "label": labels})
    table["risk_suicidewatch"] = rng.beta(2 + 3 * (labels == "suicidewatch"), 4)
    table["risk_any_risk"] = rng.beta(2 + 3 * (labels != "offmychest"), 4)
    table.to_parquet(folder.calibration / "calibration.parquet")
    folder.config.write_text(dump_config(load_config()), encoding="utf-8")
    return folder.root


def show(plan) -> str:
    console = Console(width=160, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(build_plan_table(plan))
    return captured.get()


def test_a_plan_without_a_run_shows_the_planners_rows() -> None:
    plan = make_plan(0.95, 0.95)
    pd.testing.assert_frame_equal(plan.frame, plan_positives(0.95, 0.95))
    shown = show(plan)
    assert "recall ≥ 0.95 with confidence 0.95" in shown
    assert re.search(r"59 +│ +0 │ +0\.983 │ +0\.950–0\.999", shown)


def test_more_promises_need_more_positives() -> None:
    assert make_plan(0.95, 0.95, n_promises=2).frame["n_positive"].iloc[0] == 72  # .95 ** 72 <= .025 < .95 ** 71
    assert "shared by 2 promises" in show(make_plan(0.95, 0.95, n_promises=2))


def test_a_run_adds_expected_alerts_of_each_target_from_its_calibration_scores(run: Path) -> None:
    plan = make_plan(0.9, 0.9, run=run, prevalence=0.02)
    scores = pd.read_parquet(run / "calibration" / "calibration.parquet")
    row = plan.frame.iloc[2]
    expected = estimate_alerts(
        scores["risk_suicidewatch"].to_numpy(),
        (scores["label"] == "suicidewatch").to_numpy(),
        n_positive=int(row["n_positive"]),
        n_allowed_misses=int(row["n_allowed_misses"]),
        prevalence=0.02,
    )
    assert row["alerts_suicidewatch"] == expected
    assert plan.n_positive == {
        "suicidewatch": (scores["label"] == "suicidewatch").sum(),
        "any_risk": (scores["label"] != "offmychest").sum(),
    }
    assert f"{expected:.0f}" in show(plan)
    assert "a plan, not a promise" in " ".join(show(plan).split())


@pytest.mark.parametrize(
    ("target", "more", "expected"),
    [
        (1.0, {}, "--target-recall 1.0; recall 1 cannot be promised"),
        (0.95, {"prevalence": 0.01}, "--run and --prevalence together"),
        (0.95, {"run": Path("r")}, "--run and --prevalence together"),
        (0.95, {"run": Path("r"), "prevalence": 0.0}, "--prevalence 0.0"),
    ],
)
def test_what_cannot_be_planned_is_refused(target, more, expected) -> None:
    with pytest.raises(ConfigError, match=expected):
        make_plan(target, 0.95, **more)


def test_a_run_without_calibration_scores_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match="expected the folder of a calibrated run"):
        make_plan(0.95, 0.95, run=tmp_path, prevalence=0.01)


def test_the_command_prints_the_table_and_its_help_teaches(run: Path, tmp_path: Path) -> None:
    done = run_screening("plan", "--run", str(run), "--prevalence", "0.01", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "expected per 1,000 posts at prevalence 0.01" in " ".join(done.stdout.split())
    shown = run_screening("plan", "--help").stdout
    assert "59 for .95 at .95" in " ".join(shown.split())
    assert run_screening("plan", "--target-recall", "2", cwd=tmp_path).returncode == 2
