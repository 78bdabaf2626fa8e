"""A training killed at any moment ends with the same weights as one that was left alone."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from screening.models.encoder import compute_file_digest

pytestmark = pytest.mark.slow


def start(config: Path, output_dir: Path) -> subprocess.Popen[bytes]:
    program = "from pipelines.cli import main; main()"
    arguments = ["--config", str(config), "--set", f"output_dir={output_dir}"]
    run = [sys.executable, "-c", program]
    subprocess.run([*run, "prepare", *arguments], check=True, capture_output=True, timeout=300)
    return subprocess.Popen([*run, "train", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def wait_for_checkpoint(folder: Path, process: subprocess.Popen[bytes], n: int) -> None:
    deadline = time.monotonic() + 300
    while len(list(folder.glob("checkpoint-*"))) < n:
        assert process.poll() is None, "training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_training_killed_twice_ends_with_bit_identical_weights(small_config: Path, tmp_path: Path) -> None:
    left_alone = start(small_config, tmp_path / "alone")
    output, _ = left_alone.communicate(timeout=600)
    assert left_alone.returncode == 0, output[-2000:]

    killed = tmp_path / "killed"
    checkpoints = killed / "small" / "checkpoints"
    for n in (1, 2):
        process = start(small_config, killed)
        wait_for_checkpoint(checkpoints, process, n)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert checkpoints.exists()
    resumed = start(small_config, killed)
    output, _ = resumed.communicate(timeout=600)
    assert resumed.returncode == 0, output[-2000:]
    assert b"going on from step" in output
    digests = [
        compute_file_digest(folder / "small" / "model" / "model.safetensors") for folder in (tmp_path / "alone", killed)
    ]
    assert digests[0] == digests[1]
