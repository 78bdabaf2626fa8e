"""Two processes train the model that one trains, survive a kill, and write one set of files."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from safetensors.torch import load_file

from screening.models.encoder import compute_file_digest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

ALONE = [sys.executable, "-m", "pipelines.cli"]
TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "pipelines.cli"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def runs(small_config: Path, tmp_path: Path) -> Path:
    """Config of a run without dropout, so that only the order of sums can differ; its posts are prepared.

    A contrastive term compares the posts of the whole batch, and its queue holds the keys of whole batches, all of them
    here: it is another loss where processes see their shares only.
    """
    tree = yaml.safe_load(small_config.read_text(encoding="utf-8"))
    tree["model"] |= {"dropout": 0.0}
    tree["training"] |= {"precision": "fp32"}
    tree["objective"] = {"weights": {"scl": 0.5, "mccl": 0.5}, "queue_size": 4096}
    small_config.write_text(yaml.safe_dump(tree), encoding="utf-8")
    finish([*ALONE, "prepare"], small_config, tmp_path / "alone")
    for name in ("together", "killed"):
        shutil.copytree(tmp_path / "alone", tmp_path / name)
    return tmp_path


def start(command: list[str], config: Path, folder: Path) -> subprocess.Popen[str]:
    arguments = ["--config", str(config), "--set", f"output_dir={folder}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, *arguments], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(command: list[str], config: Path, folder: Path, code: int = 0) -> str:
    process = start(command, config, folder)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == code, output[-3000:]
    return output


def kill_all(process: subprocess.Popen[str]) -> None:
    job = [process, *psutil.Process(process.pid).children(recursive=True)]
    for member in job:
        member.kill()
    process.communicate(timeout=60)
    psutil.wait_procs(job[1:], timeout=60)


def find_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_two_processes_train_what_one_trains(runs: Path, small_config: Path) -> None:
    finish([*ALONE, "train"], small_config, runs / "alone")
    output = finish([*TOGETHER, "train"], small_config, runs / "together")
    assert output.count("epoch 1: validation") == 1  # one of them speaks
    assert find_files(runs / "together") == find_files(runs / "alone")

    alone, together = (
        load_file(runs / name / "small" / "model" / "model.safetensors") for name in ("alone", "together")
    )
    # 62 steps in fp32 that add the same numbers in another order; the weights themselves move by 0.1 and more
    assert max((alone[name] - together[name]).abs().max().item() for name in alone) < 1e-4
    before, after = (
        json.loads((runs / name / "small" / "model" / "history.json").read_text()) for name in ("alone", "together")
    )
    assert [set(epoch) for epoch in before] == [set(epoch) for epoch in after]
    for epoch, other in zip(before, after, strict=True):
        assert epoch == pytest.approx(other, abs=1e-4)

    process = start([*TOGETHER, "train"], small_config, runs / "killed")
    deadline = time.monotonic() + 300
    while not list((runs / "killed" / "small" / "checkpoints").glob("checkpoint-*/whole")):
        assert process.poll() is None, "training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kill_all(process)
    assert "going on from step" in finish([*TOGETHER, "train"], small_config, runs / "killed")
    digests = [
        compute_file_digest(runs / name / "small" / "model" / "model.safetensors") for name in ("together", "killed")
    ]
    assert digests[0] == digests[1]


def test_followers_end_where_there_is_nothing_to_train(runs: Path, small_config: Path) -> None:
    refused = finish([*TOGETHER, "train", "--set", "training.batch_size=31"], small_config, runs / "alone", code=1)
    assert refused.count("error: training.batch_size is 31") == 1
    assert "--set training.batch_size=32" in refused
    assert not (runs / "alone" / "small" / "model").exists()
    done = finish([*TOGETHER, "prepare"], small_config, runs / "alone")
    assert done.count("done before") == 1
