"""Faithfulness of a run's explanations: ids and numbers, a bounded seeded sample, nothing stale left behind."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipelines.stages.explain import ExplainOptions, explain_run
from screening.scoring import Screener

TEXTS = [f"{word} {letter} no sleep" for word in ("happy", "my dog", "tired", "today") for letter in "abcxyz"]
IDS = [f"p{i}" for i in range(len(TEXTS))]


@pytest.fixture(scope="module")
def run(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faithful") / "run"
    for name in ("data", "evaluation"):
        (folder / name).mkdir(parents=True)
    screener = Screener.load(save_small_bundle(folder / "bundle"))
    scores = screener.score(TEXTS, IDS).assign(model_version=screener.version)
    scores.to_parquet(folder / "evaluation" / "test.parquet")
    pd.DataFrame({"post_id": IDS, "text": TEXTS}).to_parquet(folder / "data" / "test.parquet")
    return folder


def explain(run: Path, n_masked_posts: int) -> pd.DataFrame:
    explain_run(run, ExplainOptions(limit=6, n_masked_posts=n_masked_posts, progress=False))
    return pd.read_parquet(run / "explanations" / "faithfulness.parquet")


def test_each_explained_post_gets_one_row_of_ids_and_numbers(run: Path) -> None:
    table = explain(run, 100)
    spans = pd.read_parquet(run / "explanations" / "flagged.parquet")
    assert table["post_id"].tolist() == spans["post_id"].drop_duplicates().tolist()
    assert set(table.select_dtypes(exclude="number").columns) == {"post_id", "head", "model_version"}
    assert set(table["model_version"]) == set(spans["model_version"])
    assert table["n_words"].tolist() == spans.groupby("post_id", sort=False).size().tolist()


def test_a_sample_is_bounded_and_the_same_every_time(run: Path) -> None:
    first, second = explain(run, 3), explain(run, 3)
    assert len(first) == 3
    pd.testing.assert_frame_equal(first, second)


def test_no_text_is_in_the_file(run: Path) -> None:
    written = explain(run, 100).to_csv()
    assert not any(word in written for word in ("tired", "happy", "sleep"))


def test_a_call_without_it_removes_what_an_earlier_one_measured(run: Path) -> None:
    explain(run, 2)
    summary = explain_run(run, ExplainOptions(limit=6, n_masked_posts=0, progress=False))
    assert summary.faithfulness is None
    assert not (run / "explanations" / "faithfulness.parquet").exists()


def test_the_summary_is_the_mean_of_the_table(run: Path) -> None:
    summary = explain_run(run, ExplainOptions(limit=6, progress=False)).faithfulness
    assert summary is not None
    table = pd.read_parquet(summary.out_path)
    assert summary.mean_fall == pytest.approx(table["comprehensiveness_aopc"].mean())
    assert summary.mean_fall_random == pytest.approx(table["comprehensiveness_aopc_random"].mean())
    assert summary.n_posts == len(table) == 6
