"""The loss of two processes is the loss of one that holds the whole batch, and so is its gradient."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.gathering import gather_across_processes, gather_batch
from tests.unit.screening.objectives import one_of_two_processes as processes
from tests.unit.screening.objectives.one_of_two_processes import N_COUNTED, SmallClassifier, compute_loss, make_batch

ROOT = Path(__file__).parents[4]


@pytest.mark.slow
def test_gradient_and_queue_of_two_processes_are_those_of_one_with_the_whole_batch(tmp_path: Path) -> None:
    command = [sys.executable, processes.__file__]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen([*command, str(place), str(tmp_path)], env=environment) for place in (0, 1)]
    assert [process.wait(timeout=120) for process in started] == [0, 0]

    alone = SmallClassifier()
    features, labels = make_batch()
    targets = processes.make_targets()[:N_COUNTED]
    outputs = RiskClassifierOutput(**alone(features[:N_COUNTED]), detection_targets=targets)
    compute_loss(outputs, labels[:N_COUNTED]).backward()
    expected = processes.gradients_of(alone) | processes.queue_after(outputs, labels[:N_COUNTED])
    assert len(processes.make_queue()) + N_COUNTED > 9  # so that the oldest keys have given way
    for place in (0, 1):
        found = load_file(tmp_path / f"gradients-{place}.safetensors")
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient)  # fp32: the order of sums differs


def test_one_process_has_nothing_to_gather() -> None:
    features, labels = make_batch()
    outputs = SmallClassifier()(features)
    assert gather_across_processes(features) is features
    assert gather_batch(outputs, labels) == (outputs, labels)
