"""Evaluating: score tables of both scorers; the classifier's name the bundle they come from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.run import RunContext
from pipelines.stages import evaluate
from pipelines.stages.calibrate import CalibratedScorer
from screening.calibration.temperature import TemperatureScaling
from screening.config import load_config
from screening.models.baseline import TfidfBaseline
from screening.scoring import Screener
from screening.taxonomy import load_taxonomy


def test_score_tables_name_their_bundle_and_hold_no_text_or_author(
    save_small_bundle: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, taxonomy = RunFolder(tmp_path / "r"), load_taxonomy("mh5")
    texts = [f"{word} no sleep" for word in ("happy", "tired", "my dog", "today", "happy today")]
    posts = pd.DataFrame(
        {"post_id": list("abcde"), "text": texts, "label": taxonomy.names, "author_id": "someone", "community": "x"}
    )
    folder.data.mkdir(parents=True)
    for name in ("test", "controls"):
        posts.to_parquet(folder.split(name))
    screener = Screener.load(save_small_bundle(folder.bundle))
    TfidfBaseline.fit(texts * 3, np.tile(np.arange(5), 3), 5, 0).save(folder.baseline)
    scorer = CalibratedScorer(
        temperature=TemperatureScaling(temperature=1.0, n_samples=5),
        operating_points=screener.manifest.operating_points,
    )
    monkeypatch.setattr(evaluate, "read_scorer", lambda *_: scorer)
    config = load_config(overrides=[f"output_dir={tmp_path}", "name=r"])
    evaluate.run(RunContext(config, taxonomy, folder, Console(quiet=True)))
    assert {path.name for path in folder.evaluation.iterdir()} == {
        "test.parquet", "controls.parquet", "baseline_test.parquet", "baseline_controls.parquet"
    }  # fmt: skip
    for name in ("test", "controls"):
        table = pd.read_parquet(folder.evaluation / f"{name}.parquet")
        assert set(table["model_version"]) == {screener.version}
        assert table["community"].tolist() == ["x"] * 5
        assert not {"text", "author_id"} & set(table)
        assert "model_version" not in pd.read_parquet(folder.evaluation / f"baseline_{name}.parquet")
