"""Thresholds fitted anew on labelled posts; everything else of the bundle stays, and so does the old bundle."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.recalibrating import PostColumns, Recalibrated, build_recalibration_table, recalibrate
from screening.bundle import load_manifest
from screening.config import CalibrationConfig
from screening.exceptions import ConfigError, RecallNotReachableError, SchemaError
from screening.inference.precision import compute_score_tolerance
from screening.scoring import Screener
from screening.thresholds.promises import fit_promises

SECRET = "lanternfish"
LABELS = ("suicidewatch", "depression", "offmychest")


@pytest.fixture
def bundle(save_small_bundle: Callable[..., Path], tmp_path: Path) -> Path:
    return save_small_bundle(tmp_path / "run" / "bundle")


def make_posts(n: int = 210) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcdefghij"), 5)) for _ in range(400)]
    texts = [f"{SECRET} {' '.join(rng.choice(words, 8))}" for _ in range(n)]
    ids = [f"post{i}" for i in range(n)]
    return pd.DataFrame({"post_id": ids, "text": texts, "label": [LABELS[i % 3] for i in range(n)]})


def call(posts: pd.DataFrame, bundle: Path, out: Path, *, name: str = "posts.csv", **options: Any) -> Recalibrated:
    path = out.with_name(name)
    posts.to_csv(path, index=False)
    promise = CalibrationConfig(**options.pop("promise", {}))
    columns = PostColumns(**options.pop("columns", {}))
    return recalibrate(path, bundle, out, promise, columns, console=Console(quiet=True), **options)


def test_thresholds_are_those_promised_for_these_posts_and_the_rest_stays(bundle: Path, tmp_path: Path) -> None:
    posts, before = make_posts(), {path.name: path.read_bytes() for path in bundle.iterdir()}
    done = call(posts, bundle, tmp_path / "own")
    old, new = load_manifest(bundle), load_manifest(tmp_path / "own")
    scores = Screener.load(bundle).score(posts["text"].tolist(), posts["post_id"].tolist())
    expected = fit_promises(
        old.taxonomy.targets,
        {target.name: scores[f"risk_{target.name}"].to_numpy() for target in old.taxonomy.targets},
        posts["label"],
        CalibrationConfig(),
        score_tolerance=compute_score_tolerance("fp32", old.temperature.temperature),
    ).operating_points
    assert new.operating_points == done.after == expected
    assert done.before == old.operating_points != expected
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
    assert new.digests == old.digests
    assert new.recalibration is not None
    assert new.recalibration.bundle_version == Screener.load(bundle).version != done.version
    assert new.recalibration.n_posts == len(posts)
    changed = {"created_at", "operating_points", "recalibration", "versions", "reference_logits"}
    assert new.model_dump(exclude=changed) == old.model_dump(exclude=changed)


def test_the_new_bundle_flags_what_it_promises(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts()
    done = call(posts, bundle, tmp_path / "own")
    screener = Screener.load(tmp_path / "own")
    assert screener.version == done.version
    scores = screener.score(posts["text"].tolist(), posts["post_id"].tolist())
    (urgent, _) = done.after
    is_positive = posts["label"] == "suicidewatch"
    assert (scores.loc[is_positive, "triage"] == "refer").sum() >= is_positive.sum() - urgent.n_allowed_misses
    assert (scores["triage"] == "refer").equals(scores["risk_suicidewatch"] >= urgent.threshold)


def test_the_table_says_what_old_thresholds_find_here_and_new_ones_promise(bundle: Path, tmp_path: Path) -> None:
    done = call(make_posts(), bundle, tmp_path / "own")
    console = Console(record=True, width=120, file=StringIO())
    console.print(build_recalibration_table(done))
    said = console.export_text()
    is_positive = done.scores["label"] == "suicidewatch"
    found = (done.scores.loc[is_positive, "risk_suicidewatch"] >= done.before[0].threshold).mean()
    alerts = 1_000 * (done.scores["risk_suicidewatch"] >= done.after[0].threshold).mean()
    assert f"{found:.3f} (" in said
    assert f"{alerts:.0f}" in said
    assert "0.95, confidence 0.95" in said


def test_too_few_positives_are_refused_and_nothing_is_written(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(RecallNotReachableError, match="found 58 among 174"):
        call(make_posts(3 * 58), bundle, tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_posts_that_were_labelled_because_they_were_flagged_are_refused(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts(600)
    scores = Screener.load(bundle).score(posts["text"].tolist(), posts["post_id"].tolist())
    flagged = posts[(scores["triage"] != "no_flag").to_numpy()]
    assert 3 * 59 < len(flagged) < len(posts)
    with pytest.raises(ConfigError, match="labelled because they were flagged"):
        call(flagged, bundle, tmp_path / "own")
    call(posts, bundle, tmp_path / "other")
    call(flagged, bundle, tmp_path / "own", is_random_sample=True)  # the caller knows better


def test_posts_the_score_was_fitted_on_and_repeats_are_left_out(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts(230)
    data = bundle.parent / "data"
    data.mkdir()
    posts.head(5).to_parquet(data / "train.parquet")
    posts.iloc[5:9].to_parquet(data / "validation.parquet")
    again = posts.tail(3).assign(post_id=["x", "y", "z"])
    done = call(pd.concat([posts, again]), bundle, tmp_path / "own")
    assert done.n_dropped == 5 + 4 + 3
    assert done.n_known == 9
    assert done.scores["post_id"].tolist() == posts["post_id"].tolist()[9:]
    (data / "train.parquet").unlink()
    assert call(posts, bundle, tmp_path / "own2").n_known is None


def test_promises_by_author_and_in_groups(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts(600).assign(who=[f"{SECRET}{i // 2}" for i in range(600)], place=["a", "b"] * 300)
    promise = {"unit": "author", "group_columns": ("place",), "target_recall": 0.9}
    done = call(posts, bundle, tmp_path / "own", promise=promise, columns={"author": "who"})
    assert {point.unit for point in done.after} == {"author"}
    assert [group.group for group in done.after[0].groups] == ["a", "b"]
    rare = posts.assign(place=["a"] * 590 + ["b"] * 10)
    with pytest.raises(RecallNotReachableError, match="place"):
        call(rare, bundle, tmp_path / "own2", promise={"group_columns": ("place",)})


def test_what_a_first_stage_clears_counts_as_missed(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clear(_: Screener, texts: list[str]) -> np.ndarray:
        return np.arange(len(texts)) % 6 == 0  # half of r/SuicideWatch

    monkeypatch.setattr(Screener, "find_cleared", clear)
    with pytest.raises(RecallNotReachableError, match="first stage"):
        call(make_posts(), bundle, tmp_path / "own")


def test_bad_rows_are_named_by_id_and_no_text_is_said_or_kept(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts()
    posts.loc[3, "label"] = f"a {SECRET} label"
    with pytest.raises(SchemaError, match="post3") as refused:
        call(posts, bundle, tmp_path / "own")
    assert SECRET not in str(refused.value)
    call(make_posts(), bundle, tmp_path / "own")
    assert not any(SECRET.encode() in path.read_bytes() for path in (tmp_path / "own").iterdir())


def test_the_command_writes_a_new_folder_once(bundle: Path, tmp_path: Path) -> None:
    make_posts().to_csv(tmp_path / "posts.csv", index=False)
    arguments = ["recalibrate", str(tmp_path / "posts.csv"), "-b", str(bundle), "-o", str(tmp_path / "own")]
    first = CliRunner().invoke(app, [*arguments, "--target-recall", "0.9", "--family-wise"])
    assert first.exit_code == 0, first.exception
    assert "none of them may be among these posts" in first.output
    assert SECRET not in first.output
    made = load_manifest(tmp_path / "own").operating_points
    assert {(point.target_recall, point.n_promises) for point in made} == {(0.9, 2)}
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, ConfigError)
    assert "name a new folder" in str(again.exception)
    wrong = CliRunner().invoke(app, [*arguments, "--target-recall", "1.5"])
    assert isinstance(wrong.exception, ConfigError)
