"""Comparing two run folders: what is read, what is refused, who else read the test split, and the exit code."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.artifacts import RunFolder, StageRecord, create_record, write_json
from pipelines.calibrating.scorers import BASELINE_FILE, MODEL_FILE, CalibratedScorer
from pipelines.comparing import compare_runs, load_run
from screening.bundle import compute_version, load_manifest
from screening.config import dump_config, load_config
from screening.exceptions import ConfigError, MissingArtifactError, SchemaError
from screening.taxonomy import load_taxonomy
from screening.thresholds.operating_point import OperatingPoint
from screening.whole_writes import write_text_whole

N_POSTS = 200


def make_scores(seed: int, noise: float) -> pd.DataFrame:
    """Score tables of the same posts; more noise, worse scores."""
    taxonomy, rng = load_taxonomy("mh5"), np.random.default_rng(0)
    labels = rng.choice(taxonomy.names, N_POSTS)
    evidence = np.random.default_rng(seed).normal(scale=noise, size=(N_POSTS, len(taxonomy.names)))
    evidence[np.arange(N_POSTS), taxonomy.encode(labels)] += 3
    probabilities = np.exp(evidence) / np.exp(evidence).sum(axis=1, keepdims=True)
    table = pd.DataFrame({"post_id": [f"p{i}" for i in range(N_POSTS)], "label": labels})
    table = table.assign(**{f"prob_{name}": probabilities[:, i] for i, name in enumerate(taxonomy.names)})
    for target in taxonomy.targets:
        table[f"risk_{target.name}"] = probabilities[:, taxonomy.target_indices(target)].sum(axis=1)
    return table.assign(n_tokens=20, n_windows=1, is_truncated=False, valence=0.0, intensity=0.0, triage="no_flag")


def lower_to_positives(point: OperatingPoint, scores: pd.DataFrame) -> OperatingPoint:
    """Put the threshold at the lowest score of a positive: every positive is flagged."""
    positives = scores.loc[scores["label"].isin(point.labels), f"risk_{point.name}"]
    return point.model_copy(update={"threshold": float(positives.min())})


@pytest.fixture
def make_run(tmp_path: Path, save_small_bundle: Callable[..., Path]) -> Callable[..., Path]:
    """A function that writes an evaluated run folder with made scores and a threshold just below all positives."""

    def make(name: str, *, noise: float = 1.0, seed: int = 1) -> Path:
        folder = RunFolder(tmp_path / "runs" / name)
        config = load_config(overrides=[f"name={name}", f"output_dir={tmp_path / 'elsewhere'}", "data.source=file"])
        write_text_whole(folder.config, dump_config(config))
        evaluated = StageRecord(fingerprint="", finished_at=datetime.now(UTC), seconds=0)
        folder.write_record(create_record(name, 0).model_copy(update={"stages": {"evaluate": evaluated}}))
        save_small_bundle(folder.bundle, name=name)
        version, manifest = compute_version(folder.bundle), load_manifest(folder.bundle)
        scores = make_scores(seed, noise)
        points = tuple(lower_to_positives(point, scores) for point in manifest.operating_points)
        scorer = CalibratedScorer(temperature=manifest.temperature, operating_points=points)
        for file in (MODEL_FILE, BASELINE_FILE):
            write_json(folder.calibration / file, scorer.model_dump(mode="json"))
        scores.head(0).to_parquet(folder.calibration / "calibration.parquet")
        folder.evaluation.mkdir()
        scores.assign(model_version=version).to_parquet(folder.evaluation / "test.parquet")
        scores.to_parquet(folder.evaluation / "baseline_test.parquet")
        write_json(folder.history, [])
        write_json(folder.data_card, {"splits": {"test": {"sha256": "one test split"}}})
        return folder.root

    return make


def test_two_folders_are_compared_wherever_they_stand_and_every_reader_of_the_split_is_counted(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    champion, challenger, _ = make_run("a", noise=2.0), make_run("b", noise=0.5), make_run("c")
    other = RunFolder(make_run("d"))
    write_json(other.data_card, {"splits": {"test": {"sha256": "another test split"}}})
    moved = tmp_path / "moved"
    shutil.move(challenger, moved)
    comparison, page = compare_runs(champion, moved, tmp_path / "out")
    assert comparison.is_met
    assert "At least 3 runs have read this test split" in comparison.verdict
    assert page == tmp_path / "out" / "comparison.html"
    assert json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))["is_met"] is True


def test_a_folder_that_is_no_evaluated_run_is_refused_with_the_next_step(make_run: Callable[..., Path]) -> None:
    champion = make_run("a")
    (RunFolder(champion).evaluation / "test.parquet").unlink()
    with pytest.raises(MissingArtifactError, match=r"test\.parquet does not exist; evaluate it first"):
        load_run(champion)


def test_a_run_that_was_trained_again_since_it_was_evaluated_is_refused(make_run: Callable[..., Path]) -> None:
    run = make_run("a")
    RunFolder(run).write_record(create_record("a", 0))
    with pytest.raises(MissingArtifactError, match="trained or calibrated again since its last evaluation"):
        load_run(run)


def test_a_run_is_not_compared_with_itself(make_run: Callable[..., Path]) -> None:
    run = make_run("a")
    with pytest.raises(ConfigError, match="expected two runs"):
        compare_runs(run, run / ".." / "a")


def test_a_comparator_of_the_report_that_is_gone_stops_no_comparison(make_run: Callable[..., Path]) -> None:
    runs = make_run("a"), make_run("b")
    config = RunFolder(runs[1]).config
    config.write_text(config.read_text(encoding="utf-8").replace("champion: null", "champion: gone"), encoding="utf-8")
    assert str(load_run(runs[1]).config.report.champion) == "gone"
    assert compare_runs(*runs)[0].rules


def test_scores_of_an_earlier_bundle_are_refused(make_run: Callable[..., Path]) -> None:
    run = make_run("a")
    path = RunFolder(run).evaluation / "test.parquet"
    pd.read_parquet(path).assign(model_version="ffff").to_parquet(path)
    with pytest.raises(SchemaError, match="come from bundle ffff"):
        load_run(run)


def compare_by_command(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = "from pipelines.cli import main; main()"
    command = [sys.executable, "-c", program, "compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_command_exits_3_with_every_rule_if_the_challenger_is_worse_and_0_if_not(
    make_run: Callable[..., Path],
) -> None:
    good, bad = make_run("good", noise=0.5), make_run("bad", noise=2.5)
    failed = compare_by_command(good, bad)
    assert failed.returncode == 3, failed.stderr
    assert "Gate not met" in failed.stdout
    assert "✕ GATE4 Precision no worse: any_risk: PPV, difference −" in failed.stdout
    passed = compare_by_command(bad, good)
    assert passed.returncode == 0, passed.stderr
    assert "no proof of a gain" in passed.stdout


def test_the_command_exits_2_on_other_posts_with_their_number_and_no_id(make_run: Callable[..., Path]) -> None:
    one, other = make_run("one"), make_run("other")
    path = RunFolder(other).evaluation / "test.parquet"
    pd.read_parquet(path).replace({"post_id": {"p7": "q7"}}).to_parquet(path)
    done = compare_by_command(one, other)
    assert done.returncode == 2
    assert "1 only in the champion's and 1 only in the challenger's" in done.stderr
    assert "q7" not in done.stderr
