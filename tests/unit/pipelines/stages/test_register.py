import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from pipelines.artifacts import RunFolder, create_record, write_json
from pipelines.run import RunContext
from pipelines.stages import register
from pipelines.tracking import open_store
from screening.config import dump_config
from screening.whole_writes import write_text_whole

MakeRun = Callable[[str], RunContext]


@pytest.fixture
def make_run(finished: RunContext, tmp_path: Path) -> MakeRun:
    """A function that makes a finished run of another name: all runs share one store."""

    def make(name: str) -> RunContext:
        tracking = finished.config.tracking.model_copy(update={"uri": f"sqlite:///{tmp_path / 'mlflow.db'}"})
        config = finished.config.model_copy(update={"name": name, "output_dir": tmp_path / "all", "tracking": tracking})
        folder = RunFolder(config.run_dir)
        shutil.copytree(finished.folder.root, folder.root)
        test = pd.read_parquet(folder.evaluation / "test.parquet")  # every post is flagged: no promise is contradicted
        test.assign(risk_suicidewatch=1.0, risk_any_risk=1.0).to_parquet(folder.evaluation / "test.parquet")
        folder.write_record(create_record(name, seed=1))
        write_json(folder.data_card, {"filters": [], "splits": {}})
        for path in (folder.report / "index.html", folder.model_card, folder.config):
            write_text_whole(path, dump_config(config))
        manifest = folder.bundle / "screener.json"  # another bundle than every other run's
        manifest.write_text(manifest.read_text(encoding="utf-8").replace('"small"', f'"{name}"'), encoding="utf-8")
        return replace(finished, config=config, folder=folder)

    return make


def _register(context: RunContext, *, moves_alias: bool = False) -> tuple[str, str]:
    """Register; returns the version that has the alias afterwards, and what was said."""
    said = io.StringIO()
    register.run(replace(context, console=Console(file=said), moves_alias=moves_alias))
    client, _ = open_store(context.config.tracking)
    return str(client.get_model_version_by_alias("screener", "champion").version), said.getvalue()


def test_the_alias_of_another_run_stays_until_it_is_moved_and_can_be_moved_back(make_run: MakeRun) -> None:
    first, second = make_run("first"), make_run("second")
    assert _register(first) == ("1", "registered: models:/screener@champion is version 1\n")
    holder, said = _register(second)
    assert holder == "1"
    assert "registered: screener version 2; the alias champion stays with version 1, of another run" in said
    assert f"screening compare {first.folder.root} {second.folder.root}" in said
    assert f"screening register --config {second.folder.config} --move-alias" in said
    assert _register(second, moves_alias=True)[0] == "2"
    assert _register(first)[0] == "2"
    assert _register(first, moves_alias=True) == ("1", "registered: models:/screener@champion is version 1\n")


def test_a_run_calibrated_again_keeps_its_alias(make_run: MakeRun) -> None:
    run = make_run("first")
    assert _register(run)[0] == "1"
    manifest = run.folder.bundle / "screener.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"first"', '"calibrated again"'), encoding="utf-8")
    assert _register(run)[0] == "2"


def test_an_alias_of_a_version_that_no_run_made_stays(make_run: MakeRun) -> None:
    run = make_run("first")
    client, _ = open_store(run.config.tracking)
    client.create_registered_model("screener")
    client.create_model_version("screener", "file:///elsewhere", run_id=None)
    client.set_registered_model_alias("screener", "champion", "1")
    holder, said = _register(run)
    assert holder == "1"
    assert f"screening compare RUN {run.folder.root}" in said
