"""Names of the metrics of a run: what a tracker accepts, whatever the controls' file calls its kinds."""

import re

import numpy as np
import pandas as pd
import pytest

from pipelines.summary import compute_headline_metrics
from reports.results import RunResults
from screening.config import RunConfig
from screening.taxonomy import load_taxonomy
from screening.thresholds.fitting import fit_operating_point
from screening.thresholds.operating_point import OperatingPoint


@pytest.fixture
def results() -> RunResults:
    taxonomy = load_taxonomy("mh5")
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(len(taxonomy.names)), 600)
    table = pd.DataFrame(probabilities, columns=[f"prob_{name}" for name in taxonomy.names])
    table.insert(0, "post_id", [f"p{i}" for i in range(600)])
    for target in taxonomy.targets:
        table[f"risk_{target.name}"] = table[[f"prob_{name}" for name in target.labels]].sum(axis=1)
    labelled = table.assign(label=np.tile(taxonomy.names, 120))
    points: tuple[OperatingPoint, ...] = tuple(
        fit_operating_point(
            target,
            labelled[f"risk_{target.name}"].to_numpy(),
            labelled["label"].isin(target.labels).to_numpy(),
            target_recall=0.9,
            confidence_level=0.9,
        )
        for target in taxonomy.targets
    )
    kinds = np.repeat(["I can't: sleep?", "I can't; sleep?", "test"], 200)
    return RunResults(
        config=RunConfig(), taxonomy=taxonomy, run_info={}, data_card={}, history=pd.DataFrame(), temperature=None,
        operating_points=points, calibration=labelled, test=labelled, controls=table.assign(control_kind=kinds),
    )  # fmt: skip


def test_metric_names_hold_only_what_a_tracker_accepts(results: RunResults) -> None:
    metrics = compute_headline_metrics(results)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in metrics)
    assert "I_can_t__sleep__any_risk_alerts_per_1000" in metrics


def test_no_kind_of_controls_takes_the_place_of_another_or_of_test(results: RunResults) -> None:
    metrics = compute_headline_metrics(results)
    point = results.point_by_target["any_risk"]
    names = ("test", "I_can_t__sleep_", "I_can_t__sleep__2", "test_2")
    flags = point.flag(results.test["risk_any_risk"].to_numpy())  # controls have the scores of test, 200 by kind
    expected = [1000 * part.mean() for part in (flags, flags[:200], flags[200:400], flags[400:])]
    assert [metrics[f"{name}_any_risk_alerts_per_1000"] for name in names] == pytest.approx(expected)
    assert len(set(expected)) == 4
