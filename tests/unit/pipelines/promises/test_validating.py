"""What a bundle's thresholds find among labelled posts; nothing is fitted and nothing of a post is said."""

import json
from collections.abc import Callable
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
from pipelines.promises.validating import Validation, validate_bundle
from pipelines.promises.words import build_group_tables, describe_validation
from screening.bundle import Recalibration, copy_bundle, load_manifest
from screening.data.sources import Columns
from screening.exceptions import ConfigError
from screening.metrics.intervals import compute_proportion_interval
from screening.metrics.operating import judge_promise
from screening.scoring import Screener
from screening.thresholds.operating_point import GroupPromise
from tests.unit.pipelines.promises.own_posts import SECRET, make_posts


def call(posts: pd.DataFrame, bundle: Path, *, is_random_sample: bool = False, **columns: Any) -> Validation:
    path = bundle.parent.parent / "posts.csv"
    posts.to_csv(path, index=False)
    read = Columns("text", "label", **columns)
    return validate_bundle(path, bundle, read, is_random_sample=is_random_sample, console=Console(quiet=True))


def test_figures_are_those_of_the_posts_that_are_flagged(bundle: Path) -> None:
    posts = make_posts()
    found = call(posts, bundle)
    scores = Screener.load(bundle).score(posts["text"].tolist(), posts["post_id"].tolist())
    assert found.n_by_label == {"suicidewatch": 70, "depression": 70, "offmychest": 70}
    for target in found.targets:
        is_positive = posts["label"].isin(target.point.labels)
        is_flagged = scores[f"risk_{target.point.name}"] >= target.point.threshold
        n_found = int((is_positive & is_flagged).sum())
        assert target.result.n_true_positive == n_found
        assert target.result.n_false_positive == int((~is_positive & is_flagged).sum())
        assert target.recall.value == pytest.approx(n_found / is_positive.sum())
        assert target.recall.interval == compute_proportion_interval(n_found, int(is_positive.sum()))
        below = np.subtract.outer(scores[f"risk_{target.point.name}"][is_positive].to_numpy(),
                                  scores[f"risk_{target.point.name}"][~is_positive].to_numpy())  # fmt: skip
        assert target.roc_area.value == pytest.approx(np.mean(below > 0) + np.mean(below == 0) / 2)


def test_posts_that_are_none_of_the_labels_are_no_positives(bundle: Path) -> None:
    others = make_posts(300).tail(90).assign(label=["none", ""] * 45)
    found = call(pd.concat([make_posts(), others]), bundle)
    assert found.n_by_label["none"] == 90
    assert [target.result.n_positive for target in found.targets] == [70, 140]
    assert {target.result.n_samples for target in found.targets} == {300}


def test_posts_the_bundle_was_fitted_on_are_left_out_thresholds_included(bundle: Path, tmp_path: Path) -> None:
    posts = make_posts(230)
    data = bundle.parent / "data"
    data.mkdir()
    for name, part in {"train": slice(5), "validation": slice(5, 9), "calibration": slice(9, 20)}.items():
        posts.iloc[part].to_parquet(data / f"{name}.parquet")
    assert not call(posts, bundle).is_checked
    record = create_record("r", seed=1).model_copy(update={"run_id": load_manifest(bundle).run_id})
    RunFolder(bundle.parent).write_record(record)
    found = call(posts, bundle)
    assert (found.is_checked, found.n_dropped) == (True, 20)
    assert "left out: 20 posts" in " ".join(describe_validation(found))
    with pytest.raises(ConfigError, match="every post is one that the bundle was fitted on"):
        call(posts.head(20), bundle)
    beside = bundle.parent / "own"  # its thresholds were fitted on posts that nobody has here
    recalibration = Recalibration(bundle_version="0" * 12, n_posts=210, digest="ab" * 32)
    copy_bundle(bundle, beside, load_manifest(bundle).model_copy(update={"recalibration": recalibration}))
    again = call(posts, beside)
    assert (again.is_checked, again.n_dropped) == (False, 20)
    assert "none of them may be among these posts" in " ".join(describe_validation(again))


@pytest.fixture
def bundle_by_author(bundle: Path) -> Path:
    manifest = load_manifest(bundle)
    points = tuple(point.model_copy(update={"unit": "author"}) for point in manifest.operating_points)
    copy_bundle(bundle, bundle.parent / "by-author", manifest.model_copy(update={"operating_points": points}))
    return bundle.parent / "by-author"


def test_a_promise_by_author_is_judged_by_one_positive_post_of_each(bundle_by_author: Path) -> None:
    posts = make_posts().assign(who=[f"{SECRET}{i // 6}" for i in range(210)])  # two positive posts of each
    found = call(posts, bundle_by_author, author="who")
    assert [target.recall.n_samples for target in found.targets] == [35, 35]
    assert found.targets[0].result.n_positive == 70


def test_a_promise_by_author_is_not_judged_where_no_author_is_known(bundle_by_author: Path) -> None:
    found = call(make_posts(), bundle_by_author)
    assert {target.verdict for target in found.targets} == {"unknown"}
    assert "--author-column" in " ".join(describe_validation(found))


def test_groups_add_up_and_their_names_command_no_terminal(bundle: Path) -> None:
    found = call(make_posts().assign(place=["[red]a", "b", "b"] * 70), bundle, groups=("place",))
    for target in found.targets:
        assert [group.group for group in target.groups] == ["[red]a", "b"]
        assert sum(group.recall.n_samples for group in target.groups) == target.result.n_positive
        assert [group.alert_rate.n_samples for group in target.groups] == [70, 140]
    console = Console(record=True, width=140, file=StringIO())
    tables = build_group_tables(found)
    assert [table.title for table in tables] == ["suicidewatch, by group", "any_risk, by group"]
    console.print(tables[0])
    assert "place=[red]a" in console.export_text()
    assert build_group_tables(call(make_posts(), bundle)) == []


@pytest.fixture
def bundle_with_groups(bundle: Path) -> Path:
    manifest = load_manifest(bundle)
    promise = {"n_positive": 59, "n_allowed_misses": 0, "recall_lower_bound": 0.95, "confidence_achieved": 0.95}
    groups = tuple(GroupPromise(column="place", group=name, **promise) for name in ("n", "s"))
    (urgent, other) = manifest.operating_points
    points = (urgent.model_copy(update={"threshold": 0.0, "groups": groups}), other.model_copy(update={"threshold": 0}))
    copy_bundle(bundle, bundle.parent / "groups", manifest.model_copy(update={"operating_points": points}))
    return bundle.parent / "groups"


def test_a_promise_in_groups_is_judged_in_each_and_not_at_all_where_they_are_not_named(
    bundle_with_groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = make_posts(600).assign(place=["n"] * 300 + ["s"] * 300)
    unnamed = call(posts, bundle_with_groups, is_random_sample=True)
    assert [target.verdict for target in unnamed.targets] == ["unknown", "confirmed"]
    assert "not judged here: place=n, place=s" in " ".join(describe_validation(unnamed))
    named = call(posts, bundle_with_groups, groups=("place",), is_random_sample=True)
    assert [target.verdict for target in named.targets] == ["confirmed", "confirmed"]
    assert [group.verdict for group in named.targets[0].groups] == ["confirmed", "confirmed"]
    assert {group.verdict for group in named.targets[1].groups} == {None}
    score = Screener.score

    def miss_in_the_south(*arguments: Any) -> pd.DataFrame:
        scores = score(*arguments)
        is_missed = scores["post_id"].isin(posts["post_id"].iloc[300:345])  # 15 of 100 positives there, 7.5 % in all
        return scores.assign(risk_suicidewatch=scores["risk_suicidewatch"].where(~is_missed, -1.0))

    monkeypatch.setattr(Screener, "score", miss_in_the_south)
    broken = call(posts, bundle_with_groups, groups=("place",), is_random_sample=True)
    assert [group.verdict for group in broken.targets[0].groups] == ["confirmed", "contradicted"]
    assert broken.targets[0].verdict == "contradicted"
    assert judge_promise(broken.targets[0].recall, 0.95) == "consistent"  # of all posts


def test_the_order_of_the_file_decides_nothing(bundle_by_author: Path) -> None:
    posts = make_posts().assign(who=[f"a{i // 6}" for i in range(210)])
    shuffled = posts.sample(frac=1, random_state=3)
    assert call(posts, bundle_by_author, author="who") == call(shuffled, bundle_by_author, author="who")


def test_posts_without_an_author_are_counted(bundle_by_author: Path) -> None:
    posts = make_posts().assign(who=["someone", ""] * 105)
    assert "105 of 210 posts have none" in " ".join(describe_validation(call(posts, bundle_by_author, author="who")))


def test_columns_that_name_persons_are_refused_as_groups(bundle: Path) -> None:
    with pytest.raises(ConfigError, match="has 70 groups in 210 posts") as refused:
        call(make_posts().assign(who=[f"{SECRET}{i // 3}" for i in range(210)]), bundle, groups=("who",))
    assert SECRET not in str(refused.value)


def test_nothing_to_judge_is_said(bundle: Path) -> None:
    found = call(make_posts().assign(label="none"), bundle)
    assert {target.verdict for target in found.targets} == {"unknown"}
    assert "suicidewatch: no post is labelled suicidewatch, so nothing is known of recall" in describe_validation(found)


def test_posts_that_were_labelled_because_they_were_flagged_are_refused(bundle: Path) -> None:
    posts = make_posts(600)
    scores = Screener.load(bundle).score(posts["text"].tolist(), posts["post_id"].tolist())
    with pytest.raises(ConfigError, match="labelled because they were flagged"):
        call(posts[(scores["triage"] != "no_flag").to_numpy()], bundle)
    with pytest.raises(ConfigError, match="sample of `screening audit`"):
        call(posts.assign(stratum="far", triage="no_flag"), bundle)


def test_the_command_ends_with_3_where_a_promise_fails_and_writes_numbers_alone(
    save_small_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    point, other = load_manifest(save_small_bundle(tmp_path / "b")).operating_points
    points = (point.model_copy(update={"threshold": 0.999}), other.model_copy(update={"threshold": 0.0}))
    bundle = save_small_bundle(tmp_path / "bundle", operating_points=points)
    posts, out = tmp_path / "posts.csv", tmp_path / "found.json"
    make_posts().to_csv(posts, index=False)
    arguments = ["validate", str(posts), "--bundle", str(bundle), "--out", str(out), "--random-sample"]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 3, ended.output
    assert "contradicted: most likely these posts are of another kind" in ended.output
    assert "synthetic posts" in ended.output
    written = out.read_text(encoding="utf-8")
    assert [target["verdict"] for target in json.loads(written)["targets"]] == ["contradicted", "confirmed"]
    for text in (written, ended.output):
        assert SECRET not in text
        assert "post7" not in text
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, ConfigError)
    assert "a new .json file" in str(again.exception)
