"""Threads follow the cores a process may use."""

import os
import subprocess
import sys

PROGRAM = """
import sys, torch
torch.set_num_threads(int(sys.argv[1]))
from screening.threads import limit_threads
print(limit_threads(), torch.get_num_threads())
"""


def _limit(n_threads: int, n_cores: int) -> list[int]:
    """In a process of its own: the number of threads is a setting of the whole process."""
    environment = os.environ | {"LOKY_MAX_CPU_COUNT": str(n_cores)}
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(n_threads)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return [int(number) for number in found.stdout.split()]


def test_no_more_threads_than_cores() -> None:
    assert _limit(n_threads=3, n_cores=1) == [1, 1]


def test_fewer_threads_than_cores_stay_as_they_are() -> None:
    assert _limit(n_threads=1, n_cores=64) == [1, 1]
