import io
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.run import RunContext, run_stages
from pipelines.stages import prepare
from screening.config import load_config
from screening.exceptions import RecallNotReachableError
from screening.taxonomy import load_taxonomy


@pytest.fixture
def prepared(tmp_path: Path) -> RunContext:
    """A run of the synthetic corpus, prepared twice: the second time its folder is there already."""
    config = load_config(overrides=[f"output_dir={tmp_path}", "name=r", "data.n_synthetic=400"])
    context = RunContext(config, load_taxonomy("mh5"), RunFolder(config.run_dir), Console(quiet=True))
    for _ in range(2):
        prepare.run(context)
    return context


def test_only_its_owner_can_read_what_preparing_writes(prepared: RunContext) -> None:
    files = sorted(prepared.folder.data.iterdir())
    assert {"train.parquet", "controls.parquet", "data_card.json"} <= {path.name for path in files}
    assert [path.name for path in (prepared.folder.data, *files) if path.stat().st_mode & 0o077] == []


def test_too_few_positives_are_said_when_preparing_and_refused_before_training(tmp_path: Path) -> None:
    settings = [f"output_dir={tmp_path}", "name=r", "data.n_synthetic=400", "data.calibration_fraction=0.1"]
    said = io.StringIO()
    run_stages(load_config(overrides=settings), ("prepare",), Console(file=said, width=1000))
    assert "calibrating this run would be refused" in said.getvalue()
    assert "risk target 'suicidewatch'" in said.getvalue()
    assert "needs at least 59 positive calibration posts, found" in said.getvalue()
    with pytest.raises(RecallNotReachableError, match=r"'suicidewatch'[\s\S]*'any_risk'"):
        run_stages(load_config(overrides=settings), ("prepare", "train", "calibrate"), Console(quiet=True))
    assert not (tmp_path / "r" / "model").exists()


def test_enough_positives_for_the_promise_are_not_spoken_of(tmp_path: Path) -> None:
    settings = [f"output_dir={tmp_path}", "name=r", "data.n_synthetic=400", "calibration.target_recall=0.3"]
    said = io.StringIO()
    run_stages(load_config(overrides=settings), ("prepare",), Console(file=said, width=1000))
    assert "refused" not in said.getvalue()
