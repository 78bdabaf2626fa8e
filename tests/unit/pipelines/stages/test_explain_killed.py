"""An explaining process killed at random moments ends with the tables of one that was left alone."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from screening.scoring import Screener

pytestmark = pytest.mark.slow
TEXTS = [f"{word} {letter} no sleep" for word in ("happy", "my dog", "tired", "today") for letter in "abcxyz"]
IDS = [f"p{i}" for i in range(len(TEXTS))]
N_PARTS = 2 + 3 * 6  # 24 posts: explained 16 at a time, then masked, word by word, and with random models, 4 at a time


def start(run: Path) -> subprocess.Popen[bytes]:
    program = "from pipelines.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", program, "explain", str(run)], stderr=subprocess.STDOUT,
                            stdout=subprocess.PIPE)  # fmt: skip


def read_parts(run: Path) -> dict[str, int]:
    """Finished parts and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in run.glob("explanations/.flagged.parquet.parts/*/*.parquet")}


def wait_for_parts(run: Path, process: subprocess.Popen[bytes], n: int) -> None:
    deadline = time.monotonic() + 300
    while len(read_parts(run)) < n:
        assert process.poll() is None, "explaining ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def finish(run: Path) -> dict[str, pd.DataFrame]:
    process = start(run)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output[-2000:]
    files = list((run / "explanations").iterdir())
    assert {path.suffix for path in files} == {".parquet"}  # no parts are left
    return {path.stem: pd.read_parquet(path) for path in files}


@pytest.fixture
def run(save_small_bundle: Callable[..., Path], tmp_path: Path) -> Path:
    for name in ("data", "evaluation"):
        (tmp_path / "run" / name).mkdir(parents=True)
    screener = Screener.load(save_small_bundle(tmp_path / "run" / "bundle"))
    scores = screener.score(TEXTS, IDS).assign(model_version=screener.version, triage="review")
    scores.to_parquet(tmp_path / "run" / "evaluation" / "test.parquet")
    pd.DataFrame({"post_id": IDS, "text": TEXTS}).to_parquet(tmp_path / "run" / "data" / "test.parquet")
    return tmp_path / "run"


def test_explaining_killed_twice_ends_with_the_same_tables(run: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copytree(run, tmp_path / "alone"))
    rng = np.random.default_rng(13)  # the machine adds its own chance
    before: dict[str, int] = {}
    for n in sorted(rng.choice(np.arange(1, N_PARTS - 1), size=2, replace=False)):
        process = start(run)
        wait_for_parts(run, process, int(n))
        time.sleep(float(rng.uniform(0, 0.05)))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert not (run / "explanations" / "flagged.parquet").exists()
        after = read_parts(run)
        assert before.items() <= after.items()  # what was finished was not made again
        before = after
    killed, expected = finish(run), finish(alone)
    assert set(expected) == set(killed) == {"flagged", "faithfulness", "single_words", "random_models"}
    for name, table in expected.items():
        pd.testing.assert_frame_equal(killed[name], table, check_exact=True)
