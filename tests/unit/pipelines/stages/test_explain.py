"""Explaining flagged posts: highest risk first, resumable, and never their text."""

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipelines.artifacts import RunFolder, StageRecord, create_record
from pipelines.cli import app
from pipelines.explaining.summary import ExplainSummary, describe_summary
from pipelines.run import RunContext, compute_fingerprints
from pipelines.stages import explain as stage
from pipelines.stages import report
from pipelines.stages.explain import ExplainOptions, explain_file, explain_flagged, explain_run
from screening.config import dump_config, load_config
from screening.exceptions import ConfigError, MissingArtifactError, SchemaError
from screening.explain import explanations
from screening.scoring import Screener
from screening.whole_writes import write_text_whole

QUIET = ExplainOptions(progress=False)
TEXTS = [f"{word} {letter} no sleep" for word in ("happy", "my dog", "tired", "today") for letter in "abcxyz"]
IDS = [f"p{i}" for i in range(len(TEXTS))]


@pytest.fixture(scope="module")
def bundle_dir(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("explain") / "bundle")


@pytest.fixture(scope="module")
def scores(bundle_dir: Path) -> pd.DataFrame:
    screener = Screener.load(bundle_dir)
    return screener.score(TEXTS, IDS).assign(model_version=screener.version)


@pytest.fixture
def posts() -> pd.DataFrame:
    return pd.DataFrame({"post_id": IDS, "text": TEXTS})


def _flagged(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["triage"] != "no_flag"].sort_values("risk_suicidewatch", ascending=False)


def test_flagged_posts_and_no_others_are_explained_highest_risk_first(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "flagged.parquet"
    summary = explain_flagged(scores, posts, bundle_dir, out, QUIET)
    expected = _flagged(scores)["post_id"].tolist()
    assert 0 < len(expected) < len(scores)  # some are flagged, some are not
    table = pd.read_parquet(out)
    assert list(dict.fromkeys(table["post_id"])) == expected
    assert summary.n_flagged == summary.n_chosen == summary.n_explained == len(expected)
    assert summary.heads == ("class:suicidewatch",)
    per_post = table.drop_duplicates("post_id")
    reliable = summary.estimates["reliable_suicidewatch"]
    assert (reliable.value, reliable.n_samples) == (per_post["is_reliable"].mean(), len(per_post))
    assert summary.median_steps == per_post["n_steps"].median()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_limit_takes_the_highest_risk(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "flagged.parquet"
    explain_flagged(scores, posts, bundle_dir, out, ExplainOptions(limit=3, head="valence", progress=False))
    table = pd.read_parquet(out)
    assert list(dict.fromkeys(table["post_id"])) == _flagged(scores)["post_id"].tolist()[:3]
    assert set(table["head"]) == {"valence"}


def test_an_interrupted_call_goes_on_where_it_stopped(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "PART_SIZE", 4)
    whole, out = tmp_path / "whole.parquet", tmp_path / "flagged.parquet"
    explain_flagged(scores, posts, bundle_dir, whole, QUIET)
    asked: list[str] = []
    explain_posts = explanations.explain_posts

    def explain_until_third_part(bundle: Any, texts: list[str], post_ids: list[str], **options: Any) -> pd.DataFrame:
        if len(asked) == 8:
            raise KeyboardInterrupt
        asked.extend(post_ids)
        return explain_posts(bundle, texts, post_ids, **options)

    monkeypatch.setattr(explanations, "explain_posts", explain_until_third_part)
    with pytest.raises(KeyboardInterrupt):
        explain_flagged(scores, posts, bundle_dir, out, QUIET)
    assert not out.exists()

    again: list[str] = []

    def explain_and_note(bundle: Any, texts: list[str], post_ids: list[str], **options: Any) -> pd.DataFrame:
        again.extend(post_ids)
        return explain_posts(bundle, texts, post_ids, **options)

    monkeypatch.setattr(explanations, "explain_posts", explain_and_note)
    explain_flagged(scores, posts, bundle_dir, out, QUIET)
    assert asked + again == _flagged(scores)["post_id"].tolist()
    pd.testing.assert_frame_equal(pd.read_parquet(out), pd.read_parquet(whole))


def test_no_text_is_written(scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "flagged.csv"
    explain_flagged(scores, posts, bundle_dir, out, ExplainOptions(limit=4, progress=False))
    written = out.read_text(encoding="utf-8")
    assert not any(word in written for word in ("tired", "happy", "sleep"))


def test_nothing_flagged_gives_an_empty_table(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "flagged.parquet"
    summary = explain_flagged(scores.assign(triage="no_flag"), posts, bundle_dir, out, QUIET)
    assert (summary.n_flagged, summary.n_explained, summary.median_steps, summary.estimates) == (0, 0, None, {})
    assert list(pd.read_parquet(out).columns) == list(explanations.COLUMN_TYPES)


def test_a_scored_file_is_explained_from_the_same_posts_file(bundle_dir: Path, tmp_path: Path) -> None:
    source, scored, out = tmp_path / "posts.csv", tmp_path / "scores.csv", tmp_path / "explained.jsonl"
    pd.DataFrame({"body": [f"  {text}\u200b " for text in TEXTS]}).to_csv(source, index=False)
    screener = Screener.load(bundle_dir)
    ids = [f"posts-{row}" for row in range(1, len(TEXTS) + 1)]
    screener.score(TEXTS, ids).assign(model_version=screener.version).to_csv(scored, index=False)
    explain_file(source, scored, bundle_dir, out, ExplainOptions(limit=2, progress=False), text_column="body")
    table = pd.read_json(out, lines=True)
    for row in table.itertuples():
        text = TEXTS[int(row.post_id.removeprefix("posts-")) - 1]  # cleaned: offsets fit it without the padding
        assert text[row.start : row.end] in text.split()


def test_a_run_is_explained_into_its_folder(
    save_small_bundle: Callable[..., Path], scores: pd.DataFrame, posts: pd.DataFrame, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for name in ("data", "evaluation"):
        (run / name).mkdir(parents=True)
    scores.to_parquet(run / "evaluation" / "test.parquet")
    with pytest.raises(MissingArtifactError, match=r"test\.parquet"):
        explain_run(run, QUIET)
    posts.to_parquet(run / "data" / "test.parquet")
    save_small_bundle(run / "bundle")
    for limit in (2, 3):  # the second call replaces the first one's result
        summary = explain_run(run, ExplainOptions(limit=limit, n_measured_posts=0, progress=False))
        assert pd.read_parquet(run / "explanations" / "flagged.parquet")["post_id"].nunique() == limit
    assert summary.n_explained == 3


@pytest.mark.parametrize(("method", "weight"), [("sentences", "weight"), ("preview", "preview_weight")])
def test_other_methods_write_beside_a_runs_explanations_and_leave_them(
    method: str, weight: str, save_small_bundle: Callable[..., Path], scores: pd.DataFrame, posts: pd.DataFrame,
    tmp_path: Path,
) -> None:  # fmt: skip
    run = RunFolder(tmp_path / "run")
    save_small_bundle(run.bundle)
    for path, table in {run.split("test"): posts, run.evaluation / "test.parquet": scores}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(path)
    run.explanations.parent.mkdir()
    run.explanations.write_bytes(b"as it was")
    for limit in (2, 3):  # the second call replaces the first one's result
        shown = _invoke("explain", str(run.root), "--method", method, "--limit", str(limit))
        assert f"explained the {limit} of highest risk of " in shown
    table = pd.read_parquet(run.explanations.with_name(f"{method}.parquet"))
    assert list(dict.fromkeys(table["post_id"])) == _flagged(scores)["post_id"].tolist()[:3]
    assert table[weight].abs().max() > 0
    assert not {"text", "is_reliable"} & set(table)
    assert run.explanations.read_bytes() == b"as it was"
    assert {path.name for path in run.explanations.parent.iterdir() if path.is_file()} == {
        "flagged.parquet", f"{method}.parquet",
    }  # fmt: skip


def test_an_unknown_head_is_refused_with_the_known_ones(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    options = ExplainOptions(head="class:nobody", progress=False)
    with pytest.raises(ConfigError, match=r"class:any_risk.*found 'class:nobody'"):
        explain_flagged(scores, posts, bundle_dir, tmp_path / "flagged.parquet", options)


def test_heads_that_were_not_trained_are_not_explained(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(bundle_dir, tmp_path / "bundle")
    config = json.loads((copy / "config.json").read_text()) | {"has_trained_scales": False}
    (copy / "config.json").write_text(json.dumps(config))
    manifest = json.loads((copy / "screener.json").read_text())
    manifest["digests"]["config.json"] = hashlib.sha256((copy / "config.json").read_bytes()).hexdigest()
    (copy / "screener.json").write_text(json.dumps(manifest))
    scored = scores.assign(model_version=Screener.load(copy).version)
    with pytest.raises(ConfigError, match=r"expected a head of class:suicidewatch, class:any_risk, or all; found"):
        explain_flagged(scored, posts, copy, tmp_path / "spans.parquet", ExplainOptions(head="valence", progress=False))


def test_scores_of_another_bundle_are_refused(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match="come from model ffff"):
        explain_flagged(scores.assign(model_version="ffff"), posts, bundle_dir, tmp_path / "flagged.parquet", QUIET)


def test_scores_that_name_no_bundle_are_refused_with_the_next_step(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match=r"found no model_version; score again .* screening evaluate"):
        explain_flagged(scores.drop(columns="model_version"), posts, bundle_dir, tmp_path / "flagged.parquet", QUIET)


def test_a_bundle_calibrated_after_the_evaluation_is_refused(
    save_small_bundle: Callable[..., Path], scores: pd.DataFrame, posts: pd.DataFrame, tmp_path: Path
) -> None:
    newer = save_small_bundle(tmp_path / "bundle", run_id="1" * 12)
    with pytest.raises(SchemaError, match=r"the bundle is .* screening evaluate"):
        explain_flagged(scores, posts, newer, tmp_path / "flagged.parquet", QUIET)


def test_scores_of_other_posts_are_refused_by_id(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    first = _flagged(scores)["post_id"].iloc[0]
    with pytest.raises(SchemaError, match=f"1 scored posts are not among the posts .first: {first}"):
        explain_flagged(scores, posts[posts["post_id"] != first], bundle_dir, tmp_path / "flagged.parquet", QUIET)


def test_a_table_without_scores_is_refused(posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="found no triage, risk_suicidewatch, model_version"):
        explain_flagged(posts[["post_id"]], posts, bundle_dir, tmp_path / "flagged.parquet", QUIET)


def test_all_heads_are_explained_in_turn_each_highest_risk_first(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "flagged.parquet"
    summary = explain_flagged(scores, posts, bundle_dir, out, ExplainOptions(limit=2, head="all", progress=False))
    table = pd.read_parquet(out)
    assert summary.heads == ("class:suicidewatch", "class:any_risk", "valence", "intensity")
    assert tuple(dict.fromkeys(table["head"])) == summary.heads
    for _, part in table.groupby("head"):
        assert list(dict.fromkeys(part["post_id"])) == _flagged(scores)["post_id"].tolist()[:2]
    assert summary.n_explained == 2


def test_the_summary_says_every_number_with_its_interval_and_n(
    scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "flagged.parquet"
    rationales = {post_id: [(0, 3 if i % 2 else len(TEXTS[i]))] for i, post_id in enumerate(IDS)}  # values that differ
    options = ExplainOptions(limit=5, progress=False)
    done = explain_flagged(scores, posts, bundle_dir, out, options, rationales=rationales)
    lines = describe_summary(done)
    n_flagged = len(_flagged(scores))
    assert lines[0] == f"explained the 5 of highest risk of {n_flagged} flagged posts, class:suicidewatch"
    numbers = [line for line in lines if "reliable" in line or "F1" in line]
    assert len(numbers) == 3
    assert all("n = 5" in line and " to " in line for line in numbers)


@pytest.mark.parametrize(
    ("n_chosen", "n_explained", "said"),
    [
        (9, 9, "explained 9 flagged posts, highest risk first, valence"),
        (9, 8, "explained 8 flagged posts, highest risk first, valence (1 more hold no word)"),
        (4, 4, "explained the 4 of highest risk of 9 flagged posts, valence"),
        (4, 2, "explained the 4 of highest risk of 9 flagged posts, valence (2 of them hold no word)"),
    ],
)
def test_the_summary_says_of_how_many_flagged_posts_how_many_were_explained(
    n_chosen: int, n_explained: int, said: str, tmp_path: Path
) -> None:
    done = ExplainSummary(
        out_path=tmp_path, model_version="0", heads=("valence",), n_flagged=9, n_chosen=n_chosen,
        n_explained=n_explained, median_steps=None,
    )  # fmt: skip
    assert describe_summary(done)[0] == said


def test_the_command_explains_a_run_or_a_scored_file_and_nothing_between(bundle_dir: Path, tmp_path: Path) -> None:
    source, scored, out = tmp_path / "posts.csv", tmp_path / "scores.parquet", tmp_path / "spans.parquet"
    pd.DataFrame({"key": IDS, "body": TEXTS}).to_csv(source, index=False)
    screener = Screener.load(bundle_dir)
    screener.score(TEXTS, IDS).assign(model_version=screener.version).to_parquet(scored)
    files = ["--scores", str(scored), "--posts", str(source), "--bundle", str(bundle_dir), "--out", str(out)]
    columns = ["--text-column", "body", "--id-column", "key"]
    for arguments in ([], ["run", *files], files[:-2], ["--flagged"]):
        with pytest.raises(ConfigError, match="expected either RUN or all of --scores, --posts, --bundle, --out"):
            _invoke("explain", *arguments)
    shown = _invoke("explain", *files, *columns, "--flagged", "--limit", "2")
    assert "explained the 2 of highest risk of " in shown
    table = pd.read_parquet(out)
    assert table["post_id"].isin(IDS).all()
    with pytest.raises(ConfigError, match="exists already"):
        _invoke("explain", *files, *columns)
    assert "explained the 1 of highest risk of " in _invoke("explain", *files, *columns, "--limit", "1", "--overwrite")


def test_explaining_a_run_renews_its_report_if_that_is_done_and_else_says_how(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    summary = ExplainSummary(
        out_path=tmp_path, model_version="0", heads=("valence",), n_flagged=0, n_chosen=0, n_explained=0,
        median_steps=None,
    )  # fmt: skip
    monkeypatch.setattr(stage, "explain_run", lambda *_: summary)
    contexts: list[RunContext] = []
    monkeypatch.setattr(report, "run", contexts.append)
    config = load_config(overrides=[f"output_dir={tmp_path}", "name=r"])
    folder = RunFolder(tmp_path / "r")
    hint = f"screening report --config {folder.config} --force"
    assert hint in _invoke("explain", str(folder.root)).replace("\n", "")
    write_text_whole(folder.config, dump_config(config))
    assert hint in _invoke("explain", str(folder.root)).replace("\n", "")
    done = StageRecord(fingerprint=compute_fingerprints(config)["report"], finished_at=datetime.now(UTC), seconds=1.0)
    folder.write_record(create_record("r", 0).model_copy(update={"stages": {"report": done}}))
    folder.report.mkdir()
    folder.model_card.touch()
    assert hint not in _invoke("explain", str(folder.root)).replace("\n", "")
    assert [(context.folder, context.config) for context in contexts] == [(folder, config)]


def _invoke(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).output
