"""Rationales of a file of posts, or of the file a run was made from, are picked up and compared; spans are checked."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipelines.artifacts import RunFolder
from pipelines.stages.explain import ExplainOptions, explain_file, explain_run
from screening.config import dump_config, load_config
from screening.exceptions import ConfigError, SchemaError
from screening.scoring import Screener

TEXTS = [f"{word} {letter} no sleep" for word in ("happy", "my dog", "tired", "today") for letter in "abcxyz"]
IDS = [f"p{i}" for i in range(len(TEXTS))]
OPTIONS = ExplainOptions(n_measured_posts=0, progress=False)


def write_posts(path: Path, starts: list[str], ends: list[str]) -> Path:
    table = {"post_id": IDS, "text": [f" {text}" for text in TEXTS], "rationale_start": starts, "rationale_end": ends}
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def write_scores(bundle_dir: Path, folder: Path) -> Path:
    screener = Screener.load(bundle_dir)
    screener.score(TEXTS, IDS).assign(model_version=screener.version).to_csv(folder / "scores.csv", index=False)
    return folder / "scores.csv"


def mark_sleep() -> tuple[list[str], list[str]]:
    """Mark the last word of every post but the first, in characters of the file: one more than in the cleaned text."""
    ends = ["" if i == 0 else f"[{len(text) + 1}]" for i, text in enumerate(TEXTS)]
    return ["" if i == 0 else f"[{len(text) + 1 - len('sleep')}]" for i, text in enumerate(TEXTS)], ends


@pytest.fixture(scope="module")
def bundle_dir(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("plausible") / "bundle")


@pytest.fixture
def run(save_small_bundle: Callable[..., Path], tmp_path: Path) -> RunFolder:
    """An evaluated run whose config names a file of posts with rationales."""
    source = write_posts(tmp_path / "posts.csv", *mark_sleep())
    config = load_config(overrides=[f"output_dir={tmp_path}", "name=run", "data.source=file", f"data.path={source}"])
    folder = RunFolder(tmp_path / "run")
    for path in (folder.data, folder.evaluation):
        path.mkdir(parents=True)
    folder.config.write_text(dump_config(config), encoding="utf-8")
    screener = Screener.load(save_small_bundle(folder.bundle))
    screener.score(TEXTS, IDS).assign(model_version=screener.version).to_parquet(folder.evaluation / "test.parquet")
    pd.DataFrame({"post_id": IDS, "text": TEXTS}).to_parquet(folder.split("test"))
    return folder


def test_a_run_picks_up_the_rationales_of_its_source(run: RunFolder) -> None:
    summary = explain_run(run.root, OPTIONS)
    table, spans = pd.read_parquet(run.plausibility), pd.read_parquet(run.explanations)
    assert table["post_id"].tolist() == [i for i in spans["post_id"].drop_duplicates() if i != "p0"]
    assert set(table["n_human"]) == {1}
    assert summary.estimates["plausibility_token_f1"].n_samples == len(table)
    assert not any(word in table.to_csv() for word in ("tired", "happy", "sleep"))


def test_a_run_whose_source_changed_since_is_refused_by_id(run: RunFolder, tmp_path: Path) -> None:
    table = pd.read_csv(tmp_path / "posts.csv", dtype=str)
    table.loc[table["post_id"] == "p3", "text"] = "another text, long enough"
    table.to_csv(tmp_path / "posts.csv", index=False)
    with pytest.raises(SchemaError, match=r"changed since the run was prepared .first: p3"):
        explain_run(run.root, OPTIONS)
    assert not run.explanations.exists()


def test_a_run_whose_source_is_gone_is_explained_without(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").unlink()
    explain_run(run.root, OPTIONS)
    assert run.explanations.exists()
    assert not run.plausibility.exists()


def test_a_file_with_rationales_gets_a_second_table_beside_its_spans(bundle_dir: Path, tmp_path: Path) -> None:
    source, scores = write_posts(tmp_path / "posts.csv", *mark_sleep()), write_scores(bundle_dir, tmp_path)
    out = tmp_path / "spans.parquet"
    explain_file(source, scores, bundle_dir, out, OPTIONS)
    table = pd.read_parquet(tmp_path / "spans_plausibility.parquet")
    assert set(table["n_human"]) == {1}
    out.unlink()
    with pytest.raises(ConfigError, match=r"spans_plausibility\.parquet exists already"):
        explain_file(source, scores, bundle_dir, out, OPTIONS)


def test_spans_outside_the_text_are_refused_before_any_work(bundle_dir: Path, tmp_path: Path) -> None:
    starts, ends = mark_sleep()
    source = write_posts(tmp_path / "posts.csv", starts, [*ends[:-1], "[999]"])
    scores = write_scores(bundle_dir, tmp_path)
    with pytest.raises(SchemaError, match=rf"outside the text or is empty: 1 rows \({IDS[-1]}\)"):
        explain_file(source, scores, bundle_dir, tmp_path / "spans.parquet", OPTIONS)
    assert not (tmp_path / "spans.parquet").exists()


def test_a_file_without_rationales_may_have_lines_that_a_scoring_job_rejects(bundle_dir: Path, tmp_path: Path) -> None:
    source, scores = tmp_path / "posts.csv", write_scores(bundle_dir, tmp_path)
    lines = ["post_id,text", *(f"{post_id},{text}" for post_id, text in zip(IDS, TEXTS, strict=True)), "x,a,b,c"]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = explain_file(source, scores, bundle_dir, tmp_path / "spans.parquet", OPTIONS)
    assert done.n_explained == done.n_flagged > 0
    assert not (tmp_path / "spans_plausibility.parquet").exists()
