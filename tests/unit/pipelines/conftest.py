"""A tiny random screener bundle and a run evaluated with it, each made once for all tests of the pipelines."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from pipelines.artifacts import RunFolder, write_json
from pipelines.calibrating.scorers import BASELINE_FILE, MODEL_FILE, CalibratedScorer
from pipelines.run import RunContext
from pipelines.stages import evaluate
from screening.calibration.temperature import TemperatureScaling
from screening.config import load_config
from screening.models.baseline import TfidfBaseline
from screening.scoring import Screener
from screening.taxonomy import load_taxonomy

PLANTED = "zyxquartz lanternfish"
TAXONOMY = load_taxonomy("mh5")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, save_small_bundle: Callable[..., Path]) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("bundles") / "bundle")


def make_posts(n: int, start: str) -> pd.DataFrame:
    own = [" ".join(f"{start}{i}x{k}" for k in range(12)) for i in range(n)]  # no near duplicates
    texts = [f"I'm tired today and my dog is happy, no sleep {PLANTED} {words}" for words in own]
    texts = [f"{text} I want to die" if i % 10 == 1 else text for i, text in enumerate(texts)]
    labels = [TAXONOMY.names[i % 5] for i in range(n)]
    ids = [f"{start}-{i}" for i in range(n)]
    dates = pd.date_range("2012-01-01", periods=n)
    known = {"post_id": ids, "text": texts, "label": labels, "author_id": "someone"}
    return pd.DataFrame(known | {"created_at": dates, "community": "x"})


@pytest.fixture(scope="session")
def evaluated(
    save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunContext, Screener]:
    """A run folder with data, bundle and baseline, evaluated once, with an external file."""
    root = tmp_path_factory.mktemp("runs")
    folder = RunFolder(root / "r")
    folder.data.mkdir(parents=True)
    for name, n in {"train": 10, "validation": 5, "calibration": 400, "test": 40}.items():
        make_posts(n, name).to_parquet(folder.split(name))
    controls = make_posts(5, "controls").rename(columns={"label": "control_kind"})
    controls.to_parquet(folder.split("controls"))
    external = pd.concat([make_posts(3, "train"), make_posts(20, "elsewhere")])
    external[["text", "label"]].to_csv(root / "elsewhere.csv", index=False)
    screener = Screener.load(save_small_bundle(folder.bundle))
    train = make_posts(10, "train")
    TfidfBaseline.fit(train["text"].tolist(), np.tile(np.arange(5), 2), 5, 0).save(folder.baseline)
    scorer = CalibratedScorer(
        temperature=TemperatureScaling(temperature=1.0, n_samples=5),
        operating_points=screener.manifest.operating_points,
    )
    for file in (MODEL_FILE, BASELINE_FILE):
        write_json(folder.calibration / file, scorer.model_dump(mode="json"))
    config = load_config(overrides=[f"output_dir={root}", "name=r", f"data.external={root / 'elsewhere.csv'}"])
    context = RunContext(config, TAXONOMY, folder, Console(quiet=True))
    evaluate.run(context)
    return context, screener


@pytest.fixture
def finished(evaluated: tuple[RunContext, Screener], tmp_path: Path) -> RunContext:
    """A copy of the evaluated run with the files of the stages before."""
    context, _ = evaluated
    folder = RunFolder(tmp_path / "r")
    shutil.copytree(context.folder.root, folder.root)
    calibration = make_posts(400, "calibration")[["post_id", "label"]]
    calibration.to_parquet(folder.calibration / "calibration.parquet")
    write_json(folder.data_card, {"filters": []})
    write_json(folder.history, [])
    return replace(context, folder=folder)
