"""A job killed at any moment, any number of times, ends as one that was left alone.

``SCREENING_KILL_REPEATS=50`` repeats it with so many seeds.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

N_REPEATS = int(os.environ.get("SCREENING_KILL_REPEATS", "1"))
N_KILLS = 4
PROGRAM = Path(__file__).with_name("scoring_process.py")
ROOT = Path(__file__).resolve().parents[4]


class Job(NamedTuple):
    """A job left alone: what to run, what it wrote, and how long that took."""

    bundle: Path
    inputs: list[str]
    scores: pd.DataFrame
    rejects: bytes
    seconds: float


class Workers:
    """Starts processes that do a job, one at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        self._parent = subprocess.Popen(
            [sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def do(self, bundle: Path, out: Path, inputs: list[str], *, kill_after: float | None = None) -> int:
        """Do a job in a process of its own, killed after some seconds if it has not ended; give its exit code."""
        assert self._parent.stdin is not None
        self._parent.stdin.write("\t".join([str(bundle), str(out), *inputs]) + "\n")
        self._parent.stdin.flush()
        worker = self._read_number()
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        return self._read_number()

    def close(self) -> None:
        self._parent.communicate(timeout=60)

    def _read_number(self) -> int:
        assert self._parent.stdout is not None
        return int(self._parent.stdout.readline())


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    started = Workers()
    yield started
    started.close()


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
def alone(save_small_bundle: Callable[..., Path], workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("alone")
    bundle, inputs = save_small_bundle(folder / "bundle"), write_inputs(folder)
    assert workers.do(bundle, folder / "warm", inputs) == 0
    began = time.monotonic()
    assert workers.do(bundle, folder / "out", inputs) == 0
    seconds = time.monotonic() - began
    scores, rejects = pd.read_parquet(folder / "out"), (folder / "out" / "_rejects.csv").read_bytes()
    assert len(scores) + len(rejects.splitlines()) - 1 == 2_400
    assert scores["post_id"].is_unique
    return Job(bundle, inputs, scores, rejects, seconds)


def kill_at_random(workers: Workers, job: Job, out: Path, moments: np.random.Generator) -> int:
    """Start the job and kill it, several times; count the kills that came before its end, of which there is one.

    How long the job takes differs with what else the machine does: where it ended before every kill, it begins anew and
    is killed sooner.
    """
    n_killed, n_tries, seconds = 0, 0, job.seconds
    while n_killed == 0 or n_tries < N_KILLS:
        if out.exists() and n_killed == 0:
            shutil.rmtree(out.parent)
            out.parent.mkdir()
            seconds /= 2
        if not out.is_file():  # a finished file is not made again
            code = workers.do(job.bundle, out, job.inputs, kill_after=moments.uniform(0, seconds))
            assert code in {0, -signal.SIGKILL}
            n_killed += code == -signal.SIGKILL
        n_tries += 1
    return n_killed


@pytest.mark.parametrize("seed", range(N_REPEATS))
@pytest.mark.parametrize("name", ["parts", "scores.csv"])
def test_a_job_killed_at_random_moments_loses_and_doubles_no_row(
    workers: Workers, alone: Job, tmp_path: Path, name: str, seed: int
) -> None:
    out = tmp_path / name
    n_killed = kill_at_random(workers, alone, out, np.random.default_rng(seed))
    if not out.is_file():
        assert workers.do(alone.bundle, out, alone.inputs) == 0
    is_file = name.endswith(".csv")
    scores = pd.read_csv(out) if is_file else pd.read_parquet(out)
    rejects = (tmp_path / "scores.csv.rejects.csv" if is_file else out / "_rejects.csv").read_bytes()
    assert n_killed > 0
    assert rejects == alone.rejects
    pd.testing.assert_frame_equal(scores, alone.scores, check_dtype=not is_file, check_exact=not is_file, rtol=1e-14)
    leftovers = {path.name for path in tmp_path.rglob(".*")} - {".lock", ".scores.csv.parts", ".scores.csv.parts.old"}
    assert not leftovers, leftovers
