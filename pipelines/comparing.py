"""Compare two run folders: read both, count who else has read their test split, apply the promotion gate."""

import json
from pathlib import Path

from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.calibrating.scorers import MODEL_FILE
from pipelines.run import RunContext
from pipelines.run_results import load_results
from reports.comparison.page import Comparison, compare, validate_comparison_folder, write_comparison
from reports.comparison.run_pair import pair_runs
from reports.results import RunResults
from screening.config import load_config
from screening.exceptions import ConfigError, MissingArtifactError, SchemaError
from screening.taxonomy import load_taxonomy


def compare_runs(champion_dir: Path, challenger_dir: Path, out: Path | None = None) -> tuple[Comparison, Path | None]:
    """Set a challenger's run beside the champion's on the same test posts.

    Parameters
    ----------
    champion_dir, challenger_dir : Path
        Run folders, evaluated.
    out : Path, optional
        Folder for ``comparison.html`` and ``comparison.json``.

    Returns
    -------
    comparison : Comparison
    page : Path or None
        The HTML file, if one was asked for.

    Raises
    ------
    MissingArtifactError
        If a folder is no evaluated run.
    SchemaError
        If the runs' test posts, labels or targets differ, or a run's scores are not those of its bundle.
    ConfigError
        If both are one folder, or ``out`` holds other files.
    """
    if champion_dir.resolve() == challenger_dir.resolve():
        message = f"expected two runs, found {champion_dir} twice; a challenger is trained under another name"
        raise ConfigError(message)
    if out is not None:
        validate_comparison_folder(out)
    champion, challenger = (load_run(folder) for folder in (champion_dir, challenger_dir))
    n_runs = count_runs_on_test(champion, {champion_dir.resolve(), challenger_dir.resolve()})
    comparison = compare(pair_runs(champion, challenger), n_runs=n_runs)
    return comparison, write_comparison(comparison, out) if out is not None else None


def load_run(run_dir: Path) -> RunResults:
    """Read one evaluated run from its folder, wherever the folder stands now."""
    folder = RunFolder(run_dir)
    needed = (folder.config, folder.data_card, folder.history, folder.calibration / MODEL_FILE,
              folder.evaluation / "test.parquet", folder.bundle)  # fmt: skip
    missing = [path for path in needed if not path.exists()]
    if missing:
        message = f"{run_dir} is no evaluated run: {missing[0]} does not exist; evaluate it first: screening evaluate"
        raise MissingArtifactError(message)
    if not folder.has_finished("evaluate"):
        message = (
            f"{run_dir} was trained or calibrated again since its last evaluation; evaluate it first: screening "
            f"evaluate --config {folder.config}"
        )
        raise MissingArtifactError(message)
    config = load_config(folder.config)
    results = load_results(RunContext(config, load_taxonomy(config.data.taxonomy), folder, Console(quiet=True)))
    version = results.run_info["bundle_version"]
    others = set(results.test["model_version"].astype(str)) - {version}
    if others:
        message = (
            f"{run_dir}: the test scores come from bundle {', '.join(sorted(others)[:3])}, its thresholds from "
            f"{version}; score again: screening evaluate --config {folder.config} --force"
        )
        raise SchemaError(message)
    return results


def count_runs_on_test(results: RunResults, folders: set[Path]) -> int:
    """Count the evaluated runs beside the two, themselves included, whose data cards name the same test split."""
    digest = _read_test_digest(results.data_card)
    beside = {path for folder in folders for path in folder.parent.iterdir() if path.is_dir()} | folders
    return sum(
        folder in folders or (digest is not None and _find_test_digest(RunFolder(folder)) == digest)
        for folder in {path.resolve() for path in beside}
    )


def _find_test_digest(folder: RunFolder) -> str | None:
    """Digest of the test split of an evaluated run; ``None`` for any other folder."""
    if not (folder.evaluation / "test.parquet").exists():
        return None
    try:
        return _read_test_digest(json.loads(folder.data_card.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _read_test_digest(card: dict[str, object]) -> str | None:
    splits = card.get("splits")
    test = splits.get("test") if isinstance(splits, dict) else None
    return str(test["sha256"]) if isinstance(test, dict) and "sha256" in test else None
