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
from screening.bundle import Recalibration, copy_bundle, load_manifest
from screening.config import TrackingConfig, dump_config
from screening.exceptions import ConfigError
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
    return _find_champion(context.config.tracking), said.getvalue()


def _find_champion(config: TrackingConfig) -> str:
    client, _ = open_store(config)
    return str(client.get_model_version_by_alias("screener", "champion").version)


def _recalibrate(context: RunContext, out: Path) -> Path:
    """Write a run's bundle as if its thresholds had been fitted on other posts."""
    recalibration = Recalibration(bundle_version="0" * 12, n_posts=210, digest="ab" * 32)
    manifest = load_manifest(context.folder.bundle).model_copy(update={"recalibration": recalibration})
    copy_bundle(context.folder.bundle, out, manifest)
    return out


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


def test_a_run_trained_again_in_its_folder_is_not_to_be_compared_with_itself(make_run: MakeRun) -> None:
    run = make_run("first")
    _register(run)
    run.folder.write_record(create_record("first", seed=2))
    manifest = run.folder.bundle / "screener.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"first"', '"again"'), encoding="utf-8")
    holder, said = _register(run)
    assert holder == "1"
    assert "that version's run was trained again in this folder" in said
    assert "screening compare" not in said


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


def test_a_recalibrated_bundle_gets_the_alias_and_loses_it_only_when_somebody_says_so(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run("first")
    own, tracking = _recalibrate(run, tmp_path / "own"), run.config.tracking
    _register(run)
    options = ["--config", "demo", "--set", "tracking.uri=my store"]
    said = register.register_recalibrated(own, run.config, options, moves_alias=False)
    assert said == (
        "registered: screener version 2; the alias champion stays with version 1, of another run\n"
        f"move the alias: screening register --config demo --set 'tracking.uri=my store' --bundle {own} --move-alias"
    )
    assert _find_champion(tracking) == "1"
    moved = "registered: models:/screener@champion is version 2"
    assert register.register_recalibrated(own, run.config, [], moves_alias=True) == moved
    holder, said = _register(run)
    assert holder == "2"
    assert "stays with version 2, of a recalibrated bundle\nmove the alias" in said
    assert register.register_recalibrated(own, run.config, [], moves_alias=False) == moved
    assert _register(run, moves_alias=True)[0] == "1"


def test_a_recalibrated_bundle_is_registered_with_what_it_rests_on(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("first")
    own = _recalibrate(run, tmp_path / "own")
    register.register_recalibrated(own, run.config, [], moves_alias=False)
    client, experiment_id = open_store(run.config.tracking)
    version = client.get_model_version_by_alias("screener", "champion")
    assert version.tags["recalibrated_from"] == "0" * 12
    (tracked,) = client.search_runs([experiment_id], "attributes.run_name = 'first-recalibrated'")
    assert tracked.data.params["recalibration.n_posts"] == "210"
    assert tracked.data.tags["registered_version"] == "screener/1"


def test_a_runs_own_bundle_is_registered_by_its_run_alone(make_run: MakeRun) -> None:
    run = make_run("first")
    with pytest.raises(ConfigError, match=r"is a run's own bundle.*screening register --config RUN/config\.yaml"):
        register.register_recalibrated(run.folder.bundle, run.config, [], moves_alias=False)
    client, experiment_id = open_store(run.config.tracking)
    assert not client.search_runs([experiment_id])
    assert not client.search_registered_models()


def test_the_alias_goes_back_to_an_earlier_version(make_run: MakeRun) -> None:
    first, second = make_run("first"), make_run("second")
    _register(first)
    _register(second, moves_alias=True)
    said = register.roll_back(first.config.tracking, 1)
    assert said == "registered: models:/screener@champion is version 1"
    assert _find_champion(first.config.tracking) == "1"


def test_the_alias_goes_back_to_no_version_that_is_absent_or_contradicted(make_run: MakeRun) -> None:
    good, broken = make_run("first"), make_run("second")
    test = pd.read_parquet(broken.folder.evaluation / "test.parquet")  # no post is flagged
    missed = test.assign(risk_suicidewatch=0.0, risk_any_risk=0.0)
    missed.to_parquet(broken.folder.evaluation / "test.parquet")
    _register(good)
    assert "without the alias champion: the test split contradicts" in _register(broken)[1]
    with pytest.raises(ConfigError, match="version 2: the test split contradicts its promise for"):
        register.roll_back(good.config.tracking, 2)
    with pytest.raises(ConfigError, match="no version 3 of screener"):
        register.roll_back(good.config.tracking, 3)
    assert _find_champion(good.config.tracking) == "1"


def test_a_recalibrated_bundle_of_another_run_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    first, second = make_run("first"), make_run("second")
    with pytest.raises(ConfigError, match="comes from run first, found the configuration of second"):
        register.register_recalibrated(_recalibrate(first, tmp_path / "own"), second.config, [], moves_alias=False)


def test_a_version_that_is_found_to_be_contradicted_later_loses_its_way_back(make_run: MakeRun) -> None:
    good, broken = make_run("first"), make_run("second")
    _register(broken)
    _register(good, moves_alias=True)
    test = pd.read_parquet(broken.folder.evaluation / "test.parquet")
    test.assign(risk_suicidewatch=0.0, risk_any_risk=0.0).to_parquet(broken.folder.evaluation / "test.parquet")
    register.roll_back(good.config.tracking, 1)
    assert "has the alias champion, but the test split contradicts" in _register(broken)[1]
    with pytest.raises(ConfigError, match="version 1: the test split contradicts"):
        register.roll_back(good.config.tracking, 1)
