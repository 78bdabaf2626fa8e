from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from pipelines import run as run_module
from pipelines.artifacts import RunFolder
from pipelines.run import STAGES, RunContext, Stage, compute_fingerprints, run_stages
from pipelines.stages import calibrate
from screening.config import RunConfig, load_config
from screening.exceptions import ConfigError, MissingArtifactError, NotCalibratedError
from screening.inference import backends
from screening.whole_writes import write_folder_whole


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return load_config(overrides=[f"output_dir={tmp_path}", "name=r"])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace what stages do by a note that they ran; the orchestration around them is what is tested."""
    done: list[str] = []

    def pretend(context: RunContext, stage: Stage, fingerprint: str) -> None:
        done.append(stage.name)
        monkeypatch.setattr(run_module, "is_done", lambda _, stage, __: stage.name in done)

    monkeypatch.setattr(run_module, "_run_stage", pretend)
    monkeypatch.setattr(calibrate, "require_positives", lambda _: None)  # there are no posts
    return done


def test_stages_run_in_order_and_are_skipped_when_done(config: RunConfig, calls: list[str]) -> None:
    names = tuple(stage.name for stage in STAGES)
    run_stages(config, names, Console(quiet=True))
    run_stages(config, names, Console(quiet=True))
    assert calls == ["prepare", "train", "calibrate", "evaluate", "report", "register"]
    run_stages(config, ("report",), Console(quiet=True), force=True)
    assert calls[-1] == "report"


def test_posts_that_a_kill_left_beside_a_finished_stage_are_removed(config: RunConfig, calls: list[str]) -> None:
    run_stages(config, ("prepare",), Console(quiet=True))
    for name in ("data", ".data.old", ".data.part"):
        (config.run_dir / name).mkdir(parents=True)
        (config.run_dir / name / "train.parquet").write_text("posts")
    run_stages(config, ("prepare",), Console(quiet=True))
    assert calls == ["prepare"]
    assert sorted(path.name for path in config.run_dir.iterdir() if path.is_dir()) == ["data"]


def test_stage_without_the_one_before_it_says_what_to_run(config: RunConfig, calls: list[str]) -> None:
    with pytest.raises(MissingArtifactError, match="screening prepare"):
        run_stages(config, ("train",), Console(quiet=True))
    assert calls == []


def test_what_calibrating_would_lack_is_said_before_training(
    config: RunConfig, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    faster = config.model_copy(update={"inference": config.inference.model_copy(update={"backend": "openvino"})})
    with pytest.raises(NotCalibratedError, match=r"\.\[openvino\]"):
        run_stages(faster, ("prepare", "train", "calibrate"), Console(quiet=True))
    assert calls == ["prepare"]
    run_stages(faster, ("train",), Console(quiet=True))  # it may be calibrated elsewhere
    assert calls == ["prepare", "train"]


def test_second_process_on_the_same_run_is_refused(config: RunConfig, calls: list[str]) -> None:
    config.run_dir.mkdir()
    with FileLock(config.run_dir / ".lock"), pytest.raises(ConfigError, match="another process"):
        run_stages(config, ("prepare",), Console(quiet=True))
    assert calls == []


def test_refused_second_process_leaves_the_lock_of_the_first(config: RunConfig, calls: list[str]) -> None:
    config.run_dir.mkdir()
    with FileLock(config.run_dir / ".lock"):
        with pytest.raises(ConfigError, match="another process"):
            run_stages(config, ("prepare",), Console(quiet=True))
        assert (config.run_dir / ".lock").exists()


@pytest.mark.parametrize(
    ("override", "first_changed"),
    [("seed=1", "prepare"), ("training.epochs=9", "train"), ("calibration.target_recall=.9", "calibrate"),
     ("pretraining.epochs=9", "train"), ("objective.queue_size=9", "train"),
     ("report.minutes_per_post=5", "report"), ("tracking.experiment=x", "register")],
)  # fmt: skip
def test_a_changed_field_redoes_its_stage_and_all_after_it(override: str, first_changed: str) -> None:
    before, after = compute_fingerprints(load_config()), compute_fingerprints(load_config(overrides=[override]))
    changed = [stage.name for stage in STAGES if before[stage.name] != after[stage.name]]
    order = [stage.name for stage in STAGES]
    assert changed == order[order.index(first_changed) :]


def test_changed_source_file_redoes_everything(tmp_path: Path) -> None:
    source = tmp_path / "posts.csv"
    config = load_config(overrides=["data.source=file", f"data.path={source}"])
    source.write_text("text,label\na,b\n", encoding="utf-8")
    before = compute_fingerprints(config)
    source.write_text("text,label\na,c\n", encoding="utf-8")
    assert compute_fingerprints(config)["prepare"] != before["prepare"]


@pytest.mark.parametrize(
    ("field", "file", "first_changed"),
    [
        ("pretraining.path", "", "train"),
        ("data.external", "", "evaluate"),
        ("report.champion", "run.json", "report"),
    ],
)
def test_files_beside_the_posts_change_the_stage_that_reads_them_and_none_before(
    field: str, file: str, first_changed: str, tmp_path: Path
) -> None:
    source = tmp_path / "there"
    changing = source / file if file else source
    changing.parent.mkdir(exist_ok=True)
    config = load_config(overrides=[f"{field}={source}"])
    changing.write_text("text,label\na,b\n", encoding="utf-8")
    before = compute_fingerprints(config)
    changing.write_text("text,label\na,c\n", encoding="utf-8")
    order = [stage.name for stage in STAGES]
    for after in (compute_fingerprints(config), compute_fingerprints(load_config())):
        changed = [name for name in order if before[name] != after[name]]
        assert changed == order[order.index(first_changed) :]


def test_failed_block_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with write_folder_whole(folder) as aside:
        (aside / "a").write_text("old", encoding="utf-8")

    def fail_halfway() -> None:
        with write_folder_whole(folder) as aside:
            (aside / "a").write_text("new", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert (folder / "a").read_text(encoding="utf-8") == "old"


def test_every_output_of_a_stage_is_a_place_in_the_run_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for stage in STAGES:
        assert all(getattr(folder, name).is_relative_to(tmp_path) for name in stage.outputs)
    assert replace(folder, root=tmp_path / "x").config == tmp_path / "x" / "config.yaml"
