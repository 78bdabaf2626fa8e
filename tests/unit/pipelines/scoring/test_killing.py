"""A job killed at any moment, any number of times, ends as one that was left alone.

``SCREENING_KILL_REPEATS=50`` repeats it with so many seeds.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

N_REPEATS = int(os.environ.get("SCREENING_KILL_REPEATS", "1"))
N_KILLS = 3
PROGRAM = Path(__file__).with_name("scoring_process.py")
ROOT = Path(__file__).resolve().parents[4]


class Job(NamedTuple):
    """A job left alone: what to run, what it wrote, and how long that took."""

    bundle: Path
    inputs: list[str]
    scores: pd.DataFrame
    rejects: bytes
    seconds: float


def start(bundle: Path, out: Path, inputs: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(bundle), str(out), *inputs],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", process.communicate()[1].decode()[-2000:]
    return process


def run_to_the_end(bundle: Path, out: Path, inputs: list[str]) -> float:
    process = start(bundle, out, inputs)
    began = time.monotonic()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()[-2000:]
    return time.monotonic() - began


def write_inputs(folder: Path) -> list[str]:
    """Three formats, with rows of every kind that is rejected, and ids that repeat within and across files."""
    rows = [
        {"post_id": f"a{i % 700}", "text": "" if i % 90 == 1 else f"post {i}, with a\nsecond line"} for i in range(900)
    ]
    pd.DataFrame(rows).to_csv(folder / "first.csv", index=False)
    lines = ["{broken" if i % 50 == 0 else f'{{"post_id": "b{i}", "text": "post {i}"}}' for i in range(700)]
    (folder / "second.jsonl").write_text("\n".join(lines), encoding="utf-8")
    texts = [None if i % 70 == 0 else f"text number {i}" for i in range(800)]
    pd.DataFrame({"post_id": [f"{'ac'[i % 2]}{i}" for i in range(800)], "text": texts}).to_parquet(
        folder / "third.parquet"
    )
    return [str(folder / name) for name in ("first.csv", "second.jsonl", "third.parquet")]


@pytest.fixture(scope="module")
def alone(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("alone")
    bundle, inputs = save_small_bundle(folder / "bundle"), write_inputs(folder)
    seconds = run_to_the_end(bundle, folder / "out", inputs)
    scores, rejects = pd.read_parquet(folder / "out"), (folder / "out" / "_rejects.csv").read_bytes()
    assert len(scores) + len(rejects.splitlines()) - 1 == 2_400
    assert scores["post_id"].is_unique
    return Job(bundle, inputs, scores, rejects, seconds)


def kill_at_random(job: Job, out: Path, moments: np.random.Generator) -> int:
    """Start the job and kill it, several times; count the kills that left it unfinished."""
    n_unfinished = 0
    for _ in range(N_KILLS):
        if out.is_file():
            break
        process = start(job.bundle, out, job.inputs)
        time.sleep(moments.uniform(0, job.seconds))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        n_unfinished += process.returncode == -signal.SIGKILL
    return n_unfinished


@pytest.mark.parametrize("seed", range(N_REPEATS))
@pytest.mark.parametrize("name", ["parts", "scores.csv"])
def test_a_job_killed_at_random_moments_loses_and_doubles_no_row(
    alone: Job, tmp_path: Path, name: str, seed: int
) -> None:
    out = tmp_path / name
    n_killed = kill_at_random(alone, out, np.random.default_rng(seed))
    if not out.is_file():
        run_to_the_end(alone.bundle, out, alone.inputs)
    is_file = name.endswith(".csv")
    scores = pd.read_csv(out) if is_file else pd.read_parquet(out)
    rejects = (tmp_path / "scores.csv.rejects.csv" if is_file else out / "_rejects.csv").read_bytes()
    assert n_killed > 0, "no kill came before the end"
    assert rejects == alone.rejects
    pd.testing.assert_frame_equal(scores, alone.scores, check_dtype=not is_file, check_exact=not is_file, rtol=1e-14)
    leftovers = {path.name for path in tmp_path.rglob(".*")} - {".lock", ".scores.csv.parts", ".scores.csv.parts.old"}
    assert not leftovers, leftovers
