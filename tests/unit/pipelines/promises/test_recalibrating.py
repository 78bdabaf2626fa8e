"""Thresholds fitted anew on labelled posts; everything else of the bundle stays, and so does the old bundle."""

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipelines.artifacts import RunFolder, create_record
from pipelines.cli import app
from pipelines.promises.recalibrating import Asked, Recalibrated, recalibrate
from pipelines.promises.words import build_recalibration_table, describe_limits
from screening.bundle import load_manifest
from screening.config import CalibrationConfig
from screening.data.sources import Columns
from screening.exceptions import ConfigError, RecallNotReachableError, SchemaError
from screening.inference.precision import compute_score_tolerance
from screening.scoring import Screener
from screening.thresholds.promises import fit_promises
from tests.unit.pipelines.promises.own_posts import SECRET, make_posts


def call(posts: pd.DataFrame, bundle: Path, out: Path, *, name: str = "posts.csv", **options: Any) -> Recalibrated:
    path = out.with_name(name)
    posts.to_csv(path, index=False)
    asked = Asked(**options.pop("asked", {}))
    columns = Columns(**{"text": "text", "label": "label", **options.pop("columns", {})})
    return recalibrate(path, bundle, out, asked, columns, console=Console(quiet=True), **options)


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
    near = posts.iloc[[20]].assign(post_id=["n"], text=posts["text"].iloc[20] + " abc")
    told = pd.concat([posts, again, near])
    assert not call(told, bundle, tmp_path / "other").is_checked  # a folder of that name is not the bundle's run
    record = create_record("r", seed=1).model_copy(update={"run_id": load_manifest(bundle).run_id})
    RunFolder(bundle.parent).write_record(record)
    done = call(told, bundle, tmp_path / "own")
    assert done.is_checked
    assert done.n_dropped == 5 + 4 + 3 + 1
    assert done.scores["post_id"].tolist() == posts["post_id"].tolist()[9:]
    assert "left out: 13 posts" in " ".join(describe_limits(done))


def test_promises_by_author_and_in_groups(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts(600).assign(who=[f"{SECRET}{i // 2}" for i in range(600)], place=["a", "b"] * 300)
    by_both = {"columns": {"author": "who", "groups": ("place",)}, "asked": {"target_recall": 0.9}}
    done = call(posts, bundle, tmp_path / "own", **by_both)
    assert {point.unit for point in done.after} == {"author"}
    assert [group.group for group in done.after[0].groups] == ["a", "b"]
    rare = posts.assign(place=["a"] * 590 + ["b"] * 10)
    with pytest.raises(RecallNotReachableError, match="place"):
        call(rare, bundle, tmp_path / "own2", columns={"groups": ("place",)})
    alone = posts.assign(place="a")  # group b was promised before and is not here
    with pytest.raises(RecallNotReachableError, match=r"place=b \(0\)"):
        call(alone, tmp_path / "own", tmp_path / "own3", **by_both)


@pytest.mark.parametrize("nobody", ["", "[deleted]", " "])
def test_posts_whose_author_is_unknown_are_of_an_author_each(bundle: Path, tmp_path: Path, nobody: str) -> None:
    posts = make_posts(600)
    authors = [f"author{i}" if i % 2 else nobody for i in range(600)]
    done = call(posts.assign(who=authors), bundle, tmp_path / "own", columns={"author": "who"})
    assert done.after[0].n_positive == 200


def test_a_weaker_promise_than_before_is_said(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts(900).assign(who=[f"a{i}" for i in range(900)], place=["a", "b"] * 450)
    call(
        posts,
        bundle,
        tmp_path / "own",
        columns={"author": "who", "groups": ("place",)},
        asked={"target_recall": 0.9, "confidence_level": 0.99, "is_family_wise": True},
    )
    again = call(posts, tmp_path / "own", tmp_path / "own2", asked={"confidence_level": 0.9})
    assert {(point.target_recall, point.confidence_level) for point in again.after} == {(0.9, 0.9)}  # recall: as before
    (said, _) = [line for line in describe_limits(again) if "before promised" in line]
    assert "confidence 0.99; 2 recalls at once; by author; in each group of place" in said
    assert not any("before promised" in line for line in describe_limits(call(posts, bundle, tmp_path / "own3")))


def test_posts_that_are_none_of_the_labels_count_for_alerts_alone(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts()
    others = make_posts(300).tail(90).assign(label=["none", ""] * 45)
    done = call(pd.concat([posts, others]), bundle, tmp_path / "own")
    assert done.after[0].n_samples == 300
    assert done.after[0].n_positive == 70
    said = " ".join(describe_limits(done))
    assert "none 90" in said
    assert "any_risk: no post is labelled anxiety, bipolar, so nothing is promised about such posts" in said


def test_the_audits_own_sample_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sample of `screening audit`"):
        call(make_posts().assign(stratum="far", triage="no_flag"), bundle, tmp_path / "own")


def test_places_that_would_harm_the_bundle_are_refused_before_anything_is_read(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out, said in ((bundle / "own", "lies inside the bundle"), (tmp_path / "file" / "own", "a file")):
        with pytest.raises(ConfigError, match=said):
            recalibrate(
                tmp_path / "no.csv", bundle, out, Asked(), Columns("text", "label"), console=Console(quiet=True)
            )
    Screener.load(bundle)


def test_text_cannot_name_groups(bundle: Path, tmp_path: Path) -> None:
    for column in ("text", "label"):
        with pytest.raises(ConfigError, match="cannot name groups") as refused:
            call(make_posts(), bundle, tmp_path / "own", columns={"groups": (column,)})
        assert SECRET not in str(refused.value)
    with pytest.raises(SchemaError, match="cannot be printed"):
        call(make_posts().assign(place="a\x1b[2J"), bundle, tmp_path / "own", columns={"groups": ("place",)})


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
    wrong = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / "own2"), "--target-recall", "1.5"])
    assert wrong.exit_code == 2
    assert not (tmp_path / "own2").exists()


def test_a_recalibrated_bundle_is_audited_against_the_posts_it_was_made_on(bundle: Path, tmp_path: Path) -> None:
    own, labelled, month = tmp_path / "own", tmp_path / "labelled.csv", tmp_path / "month.csv"
    posts = make_posts(420)
    posts.head(210).to_csv(labelled, index=False)
    posts.tail(210).drop(columns="label").to_csv(month, index=False)

    def run(*arguments: object) -> str:
        ended = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert ended.exit_code == 0, ended.output
        return ended.output

    run("recalibrate", labelled, "--bundle", bundle, "--out", own)
    for name in (labelled, month):
        run("score", name, "--bundle", own, "--out", name.with_suffix(".parquet"))
    scores = month.with_suffix(".parquet")
    assert "trusted" in run("audit", "drift", scores, "--bundle", own, "--reference", labelled.with_suffix(".parquet"))
    said = run(
        "audit",
        "sample",
        scores,
        "--bundle",
        own,
        "--target",
        "suicidewatch",
        "--n",
        5,
        "--out",
        tmp_path / "sample.csv",
    )
    assert "5" in said
    assert set(pd.read_csv(tmp_path / "sample.csv")["model_version"]) == {Screener.load(own).version}
