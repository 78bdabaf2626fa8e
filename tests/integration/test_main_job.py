"""The main job on a corpus with planted phrases: everything is written, nothing leaks, a second call does nothing."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from tests.integration.conftest import PLANTED_AUTHOR, PLANTED_TEXT

pytestmark = pytest.mark.slow


def screening(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = "from pipelines.cli import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=900, check=False)


def find_files(root: Path) -> Iterator[Path]:
    yield from (path for path in root.rglob("*") if path.is_file())


def test_main_job_writes_everything_once_and_no_text_outside_the_data_folder(
    small_config: Path, tmp_path: Path
) -> None:
    first = screening("run", "--config", str(small_config), cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    run = tmp_path / "runs" / "small"
    for name in ("config.yaml", "run.json", "data/data_card.json", "bundle/screener.json", "evaluation/test.parquet",
                 "report/index.html", "report/report.json", "MODEL_CARD.md"):  # fmt: skip
        assert (run / name).is_file(), name
    assert not (run / "checkpoints").exists()
    assert "recall found" in first.stdout

    scored = screening("score", "posts.csv", "--bundle", str(run / "bundle"), "--out", "scores.csv", cwd=tmp_path)
    assert scored.returncode == 2  # there is no such file
    posts = pd.read_parquet(run / "data" / "test.parquet").head(20)
    posts[["post_id", "text"]].to_csv(tmp_path / "new.csv", index=False)
    scored = screening(
        "score",
        "new.csv",
        "--bundle",
        str(run / "bundle"),
        "--out",
        "scores.csv",
        "--id-column",
        "post_id",
        cwd=tmp_path,
    )
    assert scored.returncode == 0, scored.stderr
    again = pd.read_csv(tmp_path / "scores.csv").set_index("post_id")["risk_suicidewatch"]
    before = pd.read_parquet(run / "evaluation" / "test.parquet").set_index("post_id")["risk_suicidewatch"]
    pd.testing.assert_series_equal(again, before.loc[again.index], atol=1e-5, check_index_type=False)

    explained = screening("explain", str(run), "--limit", "3", cwd=tmp_path)
    assert explained.returncode == 0, explained.stderr
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        logged = dict(store.execute("select key, value from latest_metrics where key like 'explanation%'"))
    assert logged["explanation_comprehensiveness_gain_n"] == logged["explanation_n_explained"] == 3
    flagged = pd.read_parquet(run / "evaluation" / "test.parquet")["triage"] != "no_flag"
    assert logged["explanation_n_flagged"] == flagged.sum() > 3

    (tmp_path / "new.csv").unlink()
    shown = [done.stdout + done.stderr for done in (first, scored, explained)]
    for phrase in (PLANTED_TEXT, PLANTED_TEXT.split()[0], PLANTED_AUTHOR):
        assert not any(phrase in text for text in shown)
        leaks = [path for path in find_files(tmp_path) if phrase.encode() in path.read_bytes()]
        assert all(path.parent == run / "data" for path in leaks), leaks
    # Parquet compresses words away, so its columns are looked at too
    outside = [path for path in find_files(tmp_path) if path.suffix == ".parquet" and path.parent != run / "data"]
    assert {"robustness", "text_facts", "external", "keywords_test"} <= {path.stem for path in outside}
    for path in outside:
        table = pd.read_parquet(path)
        assert not {"text", "author_id"} & set(table.columns), path
        for column in table.select_dtypes(exclude=["number", "bool"]):
            cells = table[column].astype(str)
            assert not cells.str.contains(f"{PLANTED_TEXT.split()[0]}|{PLANTED_AUTHOR}").any(), (path, column)

    fingerprint = {path: path.stat().st_mtime_ns for path in find_files(run)}
    second = screening("run", "--config", str(small_config), cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("done before") == 6
    assert {path: path.stat().st_mtime_ns for path in find_files(run)} == fingerprint
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert set(record["stages"]) == {"prepare", "train", "calibrate", "evaluate", "report", "register"}


def test_too_few_positives_is_a_refusal_with_exit_code_3(small_config: Path, tmp_path: Path) -> None:
    done = screening(
        "run", "--config", str(small_config), "--set", "calibration.target_recall=0.99", "--set", "training.epochs=1",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 3
    assert "299" in done.stderr
    assert not (tmp_path / "runs" / "small" / "bundle").exists()
