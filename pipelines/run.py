"""The main job: stages in order, each skipped if what it would make is there already."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import cast

from rich.console import Console

from pipelines.artifacts import RunFolder, RunRecord, StageRecord, create_record
from pipelines.folder_lock import lock_folder
from screening.config import RunConfig, dump_config
from screening.exceptions import MissingArtifactError, ScreeningError
from screening.taxonomy import Taxonomy, load_taxonomy
from screening.training.processes import led_followers
from screening.whole_writes import remove_leftovers, write_text_whole


@dataclass(frozen=True)
class RunContext:
    """What a stage works with; ``moves_alias`` allows ``register`` to take the alias from another run."""

    config: RunConfig
    taxonomy: Taxonomy
    folder: RunFolder
    console: Console
    moves_alias: bool = False


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes
    ----------
    name : str
        Also its module in ``pipelines.stages``, whose ``run(context)`` does the work.
    sections : tuple of str
        Parts of the config its result depends on.
    outputs : tuple of str
        Names of :class:`~pipelines.artifacts.RunFolder` it writes.
    description : str
    """

    name: str
    sections: tuple[str, ...]
    outputs: tuple[str, ...]
    description: str


STAGES: tuple[Stage, ...] = (
    Stage("prepare", ("seed", "data"), ("data",), "read, check, clean and split the posts"),
    Stage(
        "train",
        ("seed", "model", "objective", "pretraining", "training"),
        ("model",),
        "fit the classifier and the baseline",
    ),
    Stage(
        "calibrate",
        ("inference", "calibration", "cascade"),
        ("calibration", "bundle"),
        "fit temperature and recall-promised thresholds",
    ),
    Stage("evaluate", (), ("evaluation",), "score test posts and controls"),
    Stage("report", ("report",), ("report", "model_card"), "write the report and the model card"),
    Stage("register", ("tracking",), (), "log to MLflow and register the screener"),
)


def run_stages(
    config: RunConfig, names: tuple[str, ...], console: Console, *, force: bool = False, moves_alias: bool = False
) -> RunFolder:
    """Run stages of one run, skipping those whose result is there and was made from the same config and inputs.

    Parameters
    ----------
    config : RunConfig
    names : tuple of str
        Stages to run, in order. The ones before must be done.
    console : rich.console.Console
    force : bool
        Run the named stages even if they are done.
    moves_alias : bool
        See :class:`RunContext`.

    Raises
    ------
    MissingArtifactError
        If an earlier stage is missing or was made from another config.
    ConfigError
        If another process works on the same run.
    """
    folder = RunFolder(config.run_dir)
    context = RunContext(config, load_taxonomy(config.data.taxonomy), folder, console, moves_alias)
    fingerprints = compute_fingerprints(config)
    last = max(i for i, stage in enumerate(STAGES) if stage.name in names)
    root = context.folder.root
    busy = f"another process works on run {root}; wait for it, or choose another name: --set name=OTHER"
    with led_followers(), lock_folder(root, busy):
        for stage in STAGES[: last + 1]:
            for output in stage.outputs:
                remove_leftovers(cast(Path, getattr(folder, output)))
            done = is_done(context.folder, stage, fingerprints[stage.name])
            if stage.name not in names:
                if not done:
                    message = (
                        f"stage {stage.name!r} of run {config.name!r} is not done for this config; "
                        f"run it first: screening {stage.name} --config FILE (or all: screening run --config FILE)"
                    )
                    raise MissingArtifactError(message)
                continue
            if done and not force:
                console.print(f"[dim]{stage.name}: done before, nothing changed[/dim]")
                continue
            if stage.name == "train" and "calibrate" in names:
                _load_step("calibrate", "refuse_early")(context)
            _run_stage(context, stage, fingerprints[stage.name])
    return context.folder


def compute_fingerprints(config: RunConfig) -> dict[str, str]:
    """Compute what each stage depends on: its config sections, the files it reads, and all stages before it.

    External posts count for the stage that scores them, not for training; an earlier run for the report. Teachers count
    by the names of their folders, so that they may be removed once the student is trained. A section that a config
    leaves out when it is not used does not count.
    """
    tree = json.loads(config.model_dump_json(exclude={"data": {"external"}}))
    champion = config.report.champion
    late_files: dict[str, tuple[Path | None, ...]] = {
        "train": (config.pretraining.path,),
        "evaluate": (config.data.external,),
        "report": (champion / "run.json" if champion else None,),
    }
    fingerprints: dict[str, str] = {}
    upstream = _compute_source_digest(config)
    for stage in STAGES:
        parts: list[object] = [stage.name, {key: tree[key] for key in stage.sections if key in tree}, upstream]
        parts += [_digest_files(path).hexdigest() for path in late_files.get(stage.name, ()) if path is not None]
        content = json.dumps(parts, sort_keys=True)
        upstream = fingerprints[stage.name] = hashlib.sha256(content.encode()).hexdigest()
    return fingerprints


def is_done(folder: RunFolder, stage: Stage, fingerprint: str) -> bool:
    """Tell whether a stage's result is there and was made from the same things."""
    record = folder.read_record()
    finished = record.stages.get(stage.name) if record else None
    outputs = [cast(Path, getattr(folder, name)) for name in stage.outputs]
    return finished is not None and finished.fingerprint == fingerprint and all(path.exists() for path in outputs)


def _run_stage(context: RunContext, stage: Stage, fingerprint: str) -> None:
    context.console.rule(f"[bold]{stage.name}[/bold]: {stage.description}", align="left")
    folder, config = context.folder, context.config
    before = folder.read_record()
    # what describes a model is the machine and the code that trained it
    record = create_record(config.name, config.seed) if before is None or stage.name == "train" else before
    done = before.stages if before else {}
    earlier = {known.name: done[known.name] for known in STAGES[: STAGES.index(stage)] if known.name in done}
    record = record.model_copy(update={"stages": earlier, "seed": config.seed})
    config_before = folder.config.read_text(encoding="utf-8") if folder.config.exists() else None
    folder.write_record(record)
    write_text_whole(folder.config, dump_config(config))
    started = time.monotonic()
    try:
        _load_step(stage.name, "run")(context)
    except ScreeningError:  # refused before anything was made: the run stays what it was
        _restore(folder, before, config_before)
        raise
    seconds = round(time.monotonic() - started, 1)
    finished = StageRecord(fingerprint=fingerprint, finished_at=datetime.now(UTC), seconds=seconds)
    folder.write_record(record.model_copy(update={"stages": {**earlier, stage.name: finished}}))
    context.console.print(f"[dim]{stage.name}: {seconds:.0f} s[/dim]")


def _load_step(stage: str, step: str) -> Callable[[RunContext], None]:
    """Load a function of a stage's module; here, since stages import what is above this module."""
    return cast(Callable[[RunContext], None], getattr(import_module(f"pipelines.stages.{stage}"), step))


def _restore(folder: RunFolder, record: RunRecord | None, config: str | None) -> None:
    if record is None or config is None:
        folder.record.unlink(missing_ok=True)
        folder.config.unlink(missing_ok=True)
        return
    folder.write_record(record)
    write_text_whole(folder.config, config)


def _compute_source_digest(config: RunConfig) -> str:
    digest = _digest_files(*(path for path in (config.data.path, config.data.controls) if path is not None))
    taxonomy = Path(config.data.taxonomy)
    if taxonomy.is_file():
        digest.update(taxonomy.read_bytes())
    return digest.hexdigest()


def _digest_files(*paths: Path) -> "hashlib._Hash":
    """Digest names and contents of files, and of all files in folders; what is not there is left out."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest
