"""What is measured of a run's explanations: ids and numbers, bounded seeded samples, nothing stale left behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.stages.explain import ExplainOptions, explain_run
from screening.models.baseline import TfidfBaseline, list_terms
from screening.scoring import Screener

TEXTS = [f"{word} {letter} no sleep" for word in ("happy", "my dog", "tired", "today") for letter in "abcxyz"]
IDS = [f"p{i}" for i in range(len(TEXTS))]
MEASURES = ("faithfulness", "single_words", "random_models")


@pytest.fixture(scope="module")
def run(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("faithful") / "run", save_small_bundle)


def write_run(folder: Path, save_small_bundle: Callable[..., Path], **of_bundle: Any) -> Path:
    for name in ("data", "evaluation"):
        (folder / name).mkdir(parents=True)
    screener = Screener.load(save_small_bundle(folder / "bundle", **of_bundle))
    scores = screener.score(TEXTS, IDS).assign(model_version=screener.version)
    scores.to_parquet(folder / "evaluation" / "test.parquet")
    pd.DataFrame({"post_id": IDS, "text": TEXTS}).to_parquet(folder / "data" / "test.parquet")
    return folder


def explain(run: Path, n_measured_posts: int) -> dict[str, pd.DataFrame]:
    explain_run(run, ExplainOptions(limit=6, n_measured_posts=n_measured_posts, progress=False))
    return {name: pd.read_parquet(run / "explanations" / f"{name}.parquet") for name in ("flagged", *MEASURES)}


def test_each_explained_post_gets_rows_of_ids_and_numbers(run: Path) -> None:
    tables = explain(run, 100)
    spans = tables["flagged"]
    for name in MEASURES:
        table = tables[name]
        assert table["post_id"].drop_duplicates().tolist() == spans["post_id"].drop_duplicates().tolist()
        assert set(table.select_dtypes(exclude="number").columns) <= {"post_id", "head", "model_version", "stage"}
        assert set(table["model_version"]) == set(spans["model_version"])
        n_words = table.drop_duplicates("post_id").set_index("post_id")["n_words"]
        assert n_words.to_dict() == spans.groupby("post_id").size().to_dict()


def test_a_sample_is_bounded_and_the_same_every_time_and_posts_in_it_stay_in_a_larger_one(run: Path) -> None:
    first, second, more = explain(run, 3), explain(run, 3), explain(run, 5)
    for name in MEASURES:
        assert first[name]["post_id"].nunique() == 3
        pd.testing.assert_frame_equal(first[name], second[name])
        assert set(first[name]["post_id"]) < set(more[name]["post_id"])


def test_no_text_is_in_the_files(run: Path) -> None:
    for table in explain(run, 100).values():
        assert not any(word in table.to_csv() for word in ("tired", "happy", "sleep"))


def test_a_call_without_it_removes_what_an_earlier_one_measured(run: Path) -> None:
    explain(run, 2)
    summary = explain_run(run, ExplainOptions(limit=6, n_measured_posts=0, progress=False))
    assert set(summary.estimates) == {"reliable_suicidewatch"}
    assert [path.name for path in (run / "explanations").iterdir()] == ["flagged.parquet"]


def test_the_summary_is_made_from_the_tables(run: Path) -> None:
    summary = explain_run(run, ExplainOptions(limit=6, progress=False))
    table = pd.read_parquet(run / "explanations" / "faithfulness.parquet")
    gain = table["comprehensiveness_aopc"] - table["comprehensiveness_aopc_random"]
    found = summary.estimates["comprehensiveness_gain"]
    assert found.value == pytest.approx(gain.mean())
    assert found.n_samples == len(table) == 6
    assert {"single_word_rank_correlation", "random_everything_rank_correlation"} < set(summary.estimates)


def test_with_several_heads_the_first_is_measured(run: Path) -> None:
    explain_run(run, ExplainOptions(limit=3, head="all", progress=False))
    tables = {name: pd.read_parquet(run / "explanations" / f"{name}.parquet") for name in ("flagged", *MEASURES)}
    assert list(dict.fromkeys(tables["flagged"]["head"])) == [
        "class:suicidewatch", "class:any_risk", "valence", "intensity",
    ]  # fmt: skip
    assert set(tables["flagged"].groupby("head")["post_id"].nunique()) == {3}
    assert {head for name in MEASURES for head in tables[name]["head"]} == {"class:suicidewatch"}


def test_words_that_only_the_word_model_of_an_ensemble_knows_are_found_and_measured(
    save_small_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    """It gives *sleep* eight log-odds of the first target, more than the random encoder gives any word."""
    digests = np.frombuffer(list_terms("sleep")[-1], dtype=np.uint8).reshape(1, -1)
    words = TfidfBaseline(digests, np.ones(1), np.array([[0.0], [8 * 1.7], [0.0], [0.0], [0.0]]), np.zeros(5))
    run = write_run(tmp_path / "run", save_small_bundle, words=words, words_weight=1.0)
    tables = explain(run, 100)
    spans, faithfulness = tables["flagged"], tables["faithfulness"]
    highest = spans.loc[spans.groupby("post_id")["weight"].idxmax()]
    text_by_id = dict(zip(IDS, TEXTS, strict=True))
    assert {text_by_id[row.post_id][row.start : row.end] for row in highest.itertuples()} == {"sleep"}
    assert spans["is_reliable"].all()
    assert (faithfulness["comprehensiveness_1"] > 6).all()  # that word masked: eight, and what the encoder adds
    stages = tables["random_models"].groupby("stage")["rank_correlation"].mean()
    assert stages["heads"] < 0.9  # a word that outweighs all others is found again only by chance
