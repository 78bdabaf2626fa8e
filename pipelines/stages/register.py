"""Stage register: numbers, report and screener go to MLflow; texts stay in the run folder."""

import json

from pipelines.run import RunContext
from pipelines.stages.report import load_results
from pipelines.summary import compute_headline_metrics
from pipelines.tracking import Tracker, track_run
from reports.promised_recall import judge_target
from reports.results import RunResults


def run(context: RunContext) -> None:
    """Log parameters, metrics per epoch, results and report; register the bundle and point the alias at it."""
    config, folder = context.config, context.folder
    results = load_results(context)
    tags = _collect_tags(results)
    params = json.loads(config.model_dump_json())
    with track_run(config.tracking, config.name, params, tags) as tracker:
        tracker.log_epoch_history(results.history)
        tracker.log_metrics(compute_headline_metrics(results))
        _log_files(tracker, context)
        broken = find_broken_promises(results)
        name, alias = config.tracking.registered_model, config.tracking.register_alias
        version = tracker.register_bundle(folder.bundle, name=name, alias=None if broken else alias, tags=tags)
    said = (
        f"registered: {name} version {version}, without the alias {alias}: the test split contradicts the promise for "
        f"{', '.join(broken)}"
        if broken
        else f"registered: models:/{name}@{alias} is version {version}"
    )
    context.console.print(said, highlight=False, soft_wrap=True)


def find_broken_promises(results: RunResults) -> list[str]:
    """Name the targets whose whole recall interval on test lies below what was promised."""
    verdicts = {target.name: judge_target(results, target, results.test, "test") for target in results.targets}
    return [name for name, verdict in verdicts.items() if verdict == "contradicted"]


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
