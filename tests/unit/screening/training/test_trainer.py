"""What the trainer tells the objective in every step."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from screening.objectives import CombinedObjective
from tests.unit.screening.training.small_training import fit, make_config


def test_the_objective_hears_how_far_training_is_in_every_step_and_that_an_evaluation_is_past_it(
    encoder: Path, posts: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: dict[bool, list[float]] = {True: [], False: []}
    forward = CombinedObjective.forward

    def listen(self: CombinedObjective, outputs: Any, labels: Any, progress: float = 1.0) -> Any:
        heard[self.training].append(progress)
        return forward(self, outputs, labels, progress)

    monkeypatch.setattr(CombinedObjective, "forward", listen)
    fit(make_config(encoder, "objective.preset=layer_attentive", "objective.ramp_fraction=1"), posts, tmp_path / "run")
    n_steps = len(heard[True])
    assert heard[True] == [step / n_steps for step in range(n_steps)]
    assert set(heard[False]) == {1.0}
