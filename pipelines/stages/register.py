"""Stage register: numbers, report and screener go to MLflow; texts stay in the run folder.

What else changes a registered model is here too: a recalibrated bundle, and the way back to an earlier version.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from pipelines.run import RunContext
from pipelines.run_results import load_results
from pipelines.summary import compute_headline_metrics
from pipelines.tracking import CONTRADICTED_TAG, AliasHolder, Tracker, find_tracked_run, point_alias_at, track_run
from reports.results import RunResults
from reports.sections.explained_posts import count_explained_posts
from reports.sections.explanation_estimates import estimate_explanations
from reports.sections.explanations import collect_tables
from reports.sections.promised_recall import judge_target
from screening.bundle import load_manifest
from screening.config import RunConfig, TrackingConfig
from screening.exceptions import ConfigError


def run(context: RunContext) -> None:
    """Log parameters, metrics per epoch, results and report; register the bundle, under the alias if it may have it."""
    config, folder = context.config, context.folder
    results = load_results(context)
    tags = _collect_tags(results)
    params = json.loads(config.model_dump_json())
    with track_run(config.tracking, config.name, params, tags) as tracker:
        tracker.log_epoch_history(results.history)
        tracker.log_metrics(compute_headline_metrics(results))
        _log_explanations(tracker, results)
        _log_files(tracker, context)
        version = tracker.register_bundle(folder.bundle, name=config.tracking.registered_model, tags=tags)
        said = _point_alias(context, tracker, version, results)
    context.console.print(said, highlight=False, markup=False, soft_wrap=True)


def register_recalibrated(bundle_dir: Path, run: RunConfig, options: Sequence[str], *, moves_alias: bool) -> str:
    """Register a bundle that ``screening recalibrate`` wrote, in an MLflow run of its own, without a report.

    Parameters
    ----------
    bundle_dir : Path
    run : RunConfig
        Of the run the bundle comes from; says store and names.
    options : sequence of str
        Of the command, those that name and change the configuration, for the command that moves the alias.
    moves_alias : bool
        Take the alias from the version that has it; one that is free is taken anyway.

    Returns
    -------
    str
        Where the alias points, in words.

    Raises
    ------
    BundleError
        If there is no bundle, or it is incomplete or altered.
    ConfigError
        If it is a run's own bundle or another run's, or the store cannot be opened; nothing is registered.
    """
    config, manifest = run.tracking, load_manifest(bundle_dir)
    if manifest.name != run.name:
        message = (
            f"{bundle_dir} comes from run {manifest.name}, found the configuration of {run.name}; name that run's own"
        )
        raise ConfigError(message)
    if manifest.recalibration is None:
        message = (
            f"{bundle_dir} is a run's own bundle, which is registered with its results and report: "
            "screening register --config RUN/config.yaml"
        )
        raise ConfigError(message)
    name, alias = config.registered_model, config.register_alias
    params = {"recalibration": manifest.recalibration.model_dump()}
    with track_run(config, f"{manifest.name}-recalibrated", params, {"run_id": manifest.run_id}) as tracker:
        version = tracker.register_bundle(bundle_dir, name=name, tags={})
        holder = tracker.find_holder(name, alias)
        if holder is None or holder.version == version or moves_alias:
            tracker.point_alias(name, alias, version)
            return _describe_moved(config, version)
    again = shlex.join(["screening", "register", *options, "--bundle", str(bundle_dir), "--move-alias"])
    return f"{_describe_kept(config, version, holder)}\nmove the alias: {again}"


def roll_back(config: TrackingConfig, version: int) -> str:
    """Point the alias at a version registered before, and say so; see :func:`pipelines.tracking.point_alias_at`."""
    point_alias_at(config, version)
    return _describe_moved(config, str(version))


def _point_alias(context: RunContext, tracker: Tracker, version: str, results: RunResults) -> str:
    """Point the alias at a version that may have it, and say where it points.

    The alias stays where it is if the test split contradicts a promise, or if it is another run's or a recalibrated
    bundle's and nobody said that it moves.
    """
    config, folder = context.config.tracking, context.folder
    name, alias = config.registered_model, config.register_alias
    broken, holder = find_broken_promises(results), tracker.find_holder(name, alias)
    if broken:
        contradicted = f"the test split contradicts the promise for {', '.join(broken)}"
        if holder is not None and holder.version == version:
            again = f"screening register --config {folder.config} --roll-back-to VERSION"
            return f"{name} version {version} has the alias {alias}, but {contradicted}; give it to another: {again}"
        return f"registered: {name} version {version}, without the alias {alias}: {contradicted}"
    is_own = holder is not None and holder.run_id == results.run_info["run_id"] and not holder.is_recalibrated
    if holder is None or is_own or context.moves_alias:
        tracker.point_alias(name, alias, version)
        return _describe_moved(config, version)
    said = [_describe_kept(config, version, holder)]
    if Path(holder.run_folder).resolve() == folder.root.resolve():
        said.append("that version's run was trained again in this folder: to compare, train under another name")
    elif not holder.is_recalibrated:
        said.append(f"compare them: screening compare {holder.run_folder} {folder.root}")
    return "\n".join((*said, f"move the alias: screening register --config {folder.config} --move-alias"))


def _describe_moved(config: TrackingConfig, version: str) -> str:
    return f"registered: models:/{config.registered_model}@{config.register_alias} is version {version}"


def _describe_kept(config: TrackingConfig, version: str, holder: AliasHolder) -> str:
    whose = "a recalibrated bundle" if holder.is_recalibrated else "another run"
    return (
        f"registered: {config.registered_model} version {version}; the alias {config.register_alias} stays with "
        f"version {holder.version}, of {whose}"
    )


def log_explanations(context: RunContext) -> None:
    """Log what is known about explanations to the MLflow run that registered this bundle; numbers only.

    The report there stays as it was. A store that cannot be reached, or that has no such run, is said and no failure.
    """
    results = load_results(context)
    config, info = context.config.tracking, results.run_info
    try:
        tracker = find_tracked_run(config, {name: str(info[name]) for name in ("run_id", "bundle_version")})
    except ConfigError as error:
        context.console.print(f"explanations are not in MLflow: {error}", highlight=False, markup=False, soft_wrap=True)
        return
    if tracker is None:
        return
    _log_explanations(tracker, results)
    context.console.print("explanations: numbers logged to MLflow", highlight=False, markup=False, soft_wrap=True)


def find_broken_promises(results: RunResults) -> list[str]:
    """Name the targets whose whole recall interval on test lies below what was promised."""
    verdicts = {target.name: judge_target(results, target, results.test, "test") for target in results.targets}
    return [name for name, verdict in verdicts.items() if verdict == "contradicted"]


def _log_explanations(tracker: Tracker, results: RunResults) -> None:
    """Log the estimates, and beside them of how many flagged posts how many have an explanation."""
    tracker.log_estimates(estimate_explanations(collect_tables(results)), "explanation")
    posts = count_explained_posts(results)
    if posts is not None:
        tracker.log_metrics({"explanation_n_flagged": posts.n_flagged, "explanation_n_explained": posts.n_explained})


def _log_files(tracker: Tracker, context: RunContext) -> None:
    folder = context.folder
    for path in (folder.report, folder.config, folder.record, folder.data_card, folder.model_card):
        tracker.log_artifacts(path)


def _collect_tags(results: RunResults) -> dict[str, object]:
    info, card = results.run_info, results.data_card
    tags: dict[str, object] = {
        "run_id": info["run_id"],
        "commit": info["commit"],
        "bundle_version": info["bundle_version"],
        "is_synthetic": results.is_synthetic,
        "target_recall": results.config.calibration.target_recall,
        "confidence_level": results.config.calibration.confidence_level,
    }
    if broken := find_broken_promises(results):
        tags[CONTRADICTED_TAG] = ", ".join(broken)
    tags |= {f"threshold.{point.name}": point.threshold for point in results.operating_points}
    return tags | {f"data_digest.{split}": digest["sha256"] for split, digest in card["splits"].items()}
