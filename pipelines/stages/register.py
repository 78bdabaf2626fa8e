"""Stage register: numbers, report and screener go to MLflow; texts stay in the run folder."""

import json

from pipelines.run import RunContext
from pipelines.run_results import load_results
from pipelines.summary import compute_headline_metrics
from pipelines.tracking import Tracker, find_tracked_run, track_run
from reports.results import RunResults
from reports.sections.explained_posts import count_explained_posts
from reports.sections.explanation_estimates import estimate_explanations
from reports.sections.explanations import collect_tables
from reports.sections.promised_recall import judge_target
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
    context.console.print(said, highlight=False, soft_wrap=True)


def _point_alias(context: RunContext, tracker: Tracker, version: str, results: RunResults) -> str:
    """Point the alias at a version that may have it, and say where it points.

    The alias stays where it is if the test split contradicts a promise, or if it is another run's and nobody said that
    it moves.
    """
    name, alias = context.config.tracking.registered_model, context.config.tracking.register_alias
    broken = find_broken_promises(results)
    if broken:
        return (
            f"registered: {name} version {version}, without the alias {alias}: the test split contradicts the promise "
            f"for {', '.join(broken)}"
        )
    holder = tracker.find_holder(name, alias)
    if holder is not None and holder.run_id != results.run_info["run_id"] and not context.moves_alias:
        folder = context.folder
        return (
            f"registered: {name} version {version}; the alias {alias} stays with version {holder.version}, of another "
            f"run\ncompare them: screening compare {holder.run_folder} {folder.root}\n"
            f"move the alias: screening register --config {folder.config} --move-alias"
        )
    tracker.point_alias(name, alias, version)
    return f"registered: models:/{name}@{alias} is version {version}"


def log_explanations(context: RunContext) -> None:
    """Log what is known about explanations to the MLflow run that registered this bundle; numbers only.

    The report there stays as it was. A store that cannot be reached, or that has no such run, is said and no failure.
    """
    results = load_results(context)
    config, info = context.config.tracking, results.run_info
    try:
        tracker = find_tracked_run(config, {name: str(info[name]) for name in ("run_id", "bundle_version")})
    except ConfigError as error:
        context.console.print(f"explanations are not in MLflow: {error}", highlight=False, soft_wrap=True)
        return
    if tracker is None:
        return
    _log_explanations(tracker, results)
    context.console.print("explanations: numbers logged to MLflow", highlight=False, soft_wrap=True)


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
    tags |= {f"threshold.{point.name}": point.threshold for point in results.operating_points}
    return tags | {f"data_digest.{split}": digest["sha256"] for split, digest in card["splits"].items()}
