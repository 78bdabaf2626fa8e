"""A made run of 1,500 scored posts with labels: audits and drift checks without a model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.audit.score_tables import Promise, read_promise


def make_scores(version: str, n: int = 1_500, seed: int = 1, prefix: str = "post") -> pd.DataFrame:
    """Scores of the small bundle's two targets: 15 % of posts are positive, the threshold .45 misses a few."""
    rng = np.random.default_rng(seed)
    is_positive = rng.random(n) < 0.15
    risk = np.where(is_positive, rng.beta(5, 2, n), rng.beta(2, 6, n))
    n_tokens = rng.integers(5, 60, n)
    return pd.DataFrame(
        {
            "post_id": [f"{prefix}-{i}" for i in range(n)],
            "risk_suicidewatch": risk,
            "risk_any_risk": np.maximum(risk, rng.random(n)),
            "triage": "no_flag",
            "n_tokens": n_tokens,
            "n_windows": 1,
            "is_truncated": n_tokens > 40,
            "model_version": version,
            "label": np.where(is_positive, "suicidewatch", "offmychest"),
        }
    )


@pytest.fixture
def run(tmp_path: Path, tiny_bundle: Path) -> Path:
    """A run folder with a bundle and the scores of its calibration and test posts."""
    folder = tmp_path / "run"
    (folder / "evaluation").mkdir(parents=True)
    (folder / "calibration").mkdir()
    (folder / "bundle").symlink_to(tiny_bundle)
    version = read_promise(folder, None).version
    make_scores(version, seed=2, prefix="test").to_parquet(folder / "evaluation" / "test.parquet")
    calibration = make_scores(version, seed=3, prefix="calibration").drop(columns="model_version")
    calibration.to_parquet(folder / "calibration" / "calibration.parquet")
    return folder


@pytest.fixture
def promise(run: Path) -> Promise:
    return read_promise(run, None)


@pytest.fixture
def scores(tmp_path: Path, promise: Promise) -> Path:
    path = tmp_path / "month.parquet"
    make_scores(promise.version).to_parquet(path)
    return path


@pytest.fixture
def decisions(tmp_path: Path, scores: Path) -> Path:
    """A decision on every post, by its label."""
    path, table = tmp_path / "decisions.csv", pd.read_parquet(scores)
    table.assign(is_positive=table["label"] == "suicidewatch")[["post_id", "is_positive"]].to_csv(path, index=False)
    return path
