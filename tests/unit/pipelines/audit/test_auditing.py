from functools import partial

import pandas as pd
import pytest

from pipelines.audit.auditing import check_drift, draw_sample, estimate_recall
from pipelines.audit.files import locate_manifest
from pipelines.audit.words import describe_outcome
from screening.audit.estimate import ReadStratum, estimate_audited_recall
from screening.exceptions import ConfigError, MissingArtifactError, SchemaError

TARGET = "suicidewatch"


def test_sample_holds_ids_and_counts_and_no_score(scores, promise, tmp_path):
    out = tmp_path / "sample.csv"
    manifest = draw_sample(scores, out, promise, TARGET, 200, seed=7)
    table, posts = pd.read_csv(out), pd.read_parquet(scores)
    flagged = posts["risk_suicidewatch"] >= 0.45
    assert list(table) == ["post_id", "stratum", "n_stratum", "n_sampled", "inclusion_probability", "model_version"]
    assert set(table.loc[table["stratum"] == "flagged", "post_id"]) == set(posts.loc[flagged, "post_id"])
    assert table["stratum"].value_counts()[["near", "far"]].tolist() == [20, 180]
    assert manifest.n_posts == 1_500
    assert manifest.flagged.n_posts == flagged.sum()
    assert [stratum.n_posts for stratum in manifest.strata] == [20, 1_480 - flagged.sum()]
    assert (manifest.threshold, manifest.target_recall, manifest.model_version) == (0.45, 0.95, promise.version)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_same_seed_gives_the_same_sample_from_every_format(scores, promise, tmp_path, suffix):
    as_parquet, other = tmp_path / "a.csv", tmp_path / "b.csv"
    draw_sample(scores, as_parquet, promise, TARGET, 200, seed=7)
    posts = pd.read_parquet(scores).sample(frac=1, random_state=0)
    copy = tmp_path / f"copy.{suffix}"
    if suffix == "csv":
        posts.to_csv(copy, index=False)
    elif suffix == "jsonl":
        posts.to_json(copy, orient="records", lines=True, double_precision=15)
    else:
        posts.to_parquet(copy)
    draw_sample(copy, other, promise, TARGET, 200, seed=7)
    assert other.read_bytes() == as_parquet.read_bytes()
    assert locate_manifest(other).read_bytes() == locate_manifest(as_parquet).read_bytes()


HOSTILE_ID = '=HYPERLINK("http://example.org/"&A2)'


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_ids_are_no_formulas_in_the_file_people_open_and_decisions_on_either_spelling_count(
    scores, promise, tmp_path, ending
):
    posts, sample = pd.read_parquet(scores), tmp_path / f"sample.{ending}"
    posts.loc[posts["risk_suicidewatch"].idxmax(), "post_id"] = HOSTILE_ID
    posts.to_parquet(scores)
    draw_sample(scores, sample, promise, TARGET, 300, seed=7)
    shown = f"'{HOSTILE_ID}" if ending == "csv" else HOSTILE_ID
    read = {"csv": pd.read_csv, "jsonl": partial(pd.read_json, lines=True), "parquet": pd.read_parquet}[ending](sample)
    assert shown in set(read["post_id"])
    decisions = read.assign(decision="escalate")
    for decided in (decisions, decisions.replace(shown, HOSTILE_ID)):
        decided[["post_id", "decision"]].to_csv(tmp_path / "decisions.csv", index=False)
        done = estimate_recall(sample, tmp_path / "decisions.csv", tmp_path / "decisions.csv", missing="refuse")
        assert (done.n_flagged_positive, done.n_outside) == (read["stratum"].eq("flagged").sum(), 0)


@pytest.mark.parametrize("existing", ["sample.csv", "sample.csv.manifest.json"])
def test_a_sample_never_replaces_a_file(scores, promise, tmp_path, existing):
    (tmp_path / existing).write_text("kept", encoding="utf-8")
    with pytest.raises(ConfigError, match="never replaced"):
        draw_sample(scores, tmp_path / "sample.csv", promise, TARGET, 200, seed=7)
    assert (tmp_path / existing).read_text(encoding="utf-8") == "kept"
    assert len(list(tmp_path.glob("sample*"))) == 1


def test_more_posts_than_there_are_cannot_be_drawn(scores, promise, tmp_path):
    for numbers in ({"n_to_read": 1_500}, {"n_to_read": 10, "n_flagged_to_read": 1_499}):
        with pytest.raises(ConfigError, match="longer period"):
            draw_sample(scores, tmp_path / "s.csv", promise, TARGET, seed=1, **numbers)
    assert not (tmp_path / "s.csv").exists()


def test_an_unknown_target_is_refused_with_the_known_ones(scores, promise, tmp_path):
    with pytest.raises(ConfigError, match="suicidewatch, any_risk"):
        draw_sample(scores, tmp_path / "s.csv", promise, "sadness", 10, seed=1)


def test_estimate_equals_the_library_on_the_counts_of_the_files(scores, decisions, promise, tmp_path):
    sample = tmp_path / "sample.parquet"
    manifest = draw_sample(scores, sample, promise, TARGET, 300, seed=7)
    done = estimate_recall(sample, decisions, decisions)
    labels = pd.read_parquet(scores).set_index("post_id")["label"] == TARGET
    drawn = pd.read_parquet(sample)
    counts = labels[drawn["post_id"]].groupby(drawn["stratum"].to_numpy()).sum()
    read = [
        ReadStratum(**stratum.model_dump(), n_positive=int(counts[stratum.name]))
        for stratum in (manifest.flagged, *manifest.strata)
    ]
    assert done.estimate == estimate_audited_recall(read[0], read[1:], target_recall=0.95, confidence_level=0.95)
    assert done.n_unflagged_read == 300
    assert done.n_missed_found == counts["near"] + counts["far"] > 0
    assert done.n_outside == 1_500 - len(drawn)
    recall = done.estimate.recall
    truth = (pd.read_parquet(scores).query("risk_suicidewatch >= .45")["label"] == TARGET).sum() / labels.sum()
    assert recall.interval.low <= truth <= recall.interval.high


def test_decisions_from_two_files_and_a_sample_of_flagged_posts(scores, promise, tmp_path):
    sample = tmp_path / "sample.csv"
    draw_sample(scores, sample, promise, TARGET, 300, seed=7, n_flagged_to_read=50)
    drawn, labels = pd.read_csv(sample), pd.read_parquet(scores).set_index("post_id")["label"] == TARGET
    words = labels.map({True: "escalate", False: "no_concern"}).rename("decision").reset_index()
    paths = {}
    for name, ids in drawn.groupby(drawn["stratum"].eq("flagged"))["post_id"]:
        paths[name] = tmp_path / f"{name}.csv"
        words[words["post_id"].isin(ids)].to_csv(paths[name], index=False)
    done = estimate_recall(sample, paths[False], paths[True], missing="refuse")
    assert (done.n_outside, done.estimate.n_missing, done.manifest.flagged.n_sampled) == (0, 0, 50)


def test_missing_and_unsure_decisions_are_worst_case_or_refused(scores, decisions, promise, tmp_path):
    sample = tmp_path / "sample.csv"
    draw_sample(scores, sample, promise, TARGET, 300, seed=7)
    drawn = pd.read_csv(sample)
    far = drawn.loc[drawn["stratum"] == "far", "post_id"].tolist()
    table = pd.read_csv(decisions, dtype=str)
    table.loc[table["post_id"] == far[0], "is_positive"] = "unsure"
    table = table[table["post_id"] != far[1]].rename(columns={"is_positive": "decision"})
    table.to_csv(tmp_path / "gaps.csv", index=False)
    full, gaps = (estimate_recall(sample, path, path) for path in (decisions, tmp_path / "gaps.csv"))
    assert gaps.estimate.n_missing == 2
    assert gaps.estimate.recall.interval.low < full.estimate.recall.interval.low
    with pytest.raises(SchemaError, match="2 sampled posts have no clear decision \\(2 unflagged, 0 flagged\\)"):
        estimate_recall(sample, tmp_path / "gaps.csv", tmp_path / "gaps.csv", missing="refuse")


def test_scores_of_another_model_are_refused(scores, promise, tmp_path):
    other = tmp_path / "other.csv"
    pd.read_parquet(scores).assign(model_version="0" * 12).to_csv(other, index=False)
    with pytest.raises(SchemaError, match="come from model 000000000000"):
        draw_sample(other, tmp_path / "s.csv", promise, TARGET, 10, seed=1)
    with pytest.raises(SchemaError, match="come from model 000000000000"):
        check_drift(other, promise, reference_path=scores)


def test_new_posts_like_the_runs_own_are_trusted(run, scores, promise):
    result = check_drift(scores, promise, run_folder=run)
    assert result.state == "trusted"
    assert result.measures[0].n_reference == 3_000
    assert result.measures[0].n_current == 1_500


def test_longer_posts_than_calibration_saw_are_reported_broken(run, scores, promise, tmp_path):
    longer = tmp_path / "longer.parquet"
    pd.read_parquet(scores).assign(n_tokens=500, is_truncated=True).to_parquet(longer)
    assert check_drift(longer, promise, run_folder=run).state == "broken"
    assert check_drift(longer, promise, reference_path=longer).state == "trusted"


def test_drift_needs_something_to_compare_with(run, scores, promise, tmp_path):
    with pytest.raises(ConfigError, match="--run or --reference"):
        check_drift(scores, promise)
    with pytest.raises(MissingArtifactError, match="finish the run first"):
        check_drift(scores, promise, run_folder=tmp_path)


def test_scores_of_a_run_from_an_earlier_bundle_are_refused(run, scores, promise):
    path = run / "evaluation" / "test.parquet"
    pd.read_parquet(path).assign(model_version="0" * 12).to_parquet(path)
    with pytest.raises(MissingArtifactError, match="evaluate again"):
        check_drift(scores, promise, run_folder=run)


def test_an_audit_of_a_promise_about_authors_says_that_it_counts_posts(scores, decisions, promise, tmp_path):
    points = tuple(point.model_copy(update={"unit": "author"}) for point in promise.operating_points)
    sample = tmp_path / "sample.csv"
    draw_sample(scores, sample, promise.model_copy(update={"operating_points": points}), TARGET, 300, seed=7)
    lines = describe_outcome(estimate_recall(sample, decisions, decisions))
    assert any("counts authors, this audit posts" in line for line in lines)


def test_decisions_on_none_of_the_sampled_posts_are_refused(scores, decisions, promise, tmp_path):
    draw_sample(scores, tmp_path / "sample.csv", promise, "suicidewatch", 100, seed=1)
    pd.read_csv(decisions).assign(post_id=lambda t: "other-" + t["post_id"]).to_csv(tmp_path / "o.csv", index=False)
    with pytest.raises(SchemaError, match="none of 1,500 decisions is on a sampled post"):
        estimate_recall(tmp_path / "sample.csv", tmp_path / "o.csv", tmp_path / "o.csv")


def test_a_single_post_is_too_few_to_look_for_drift(run, scores, promise, tmp_path):
    pd.read_parquet(scores).head(1).to_parquet(tmp_path / "one.parquet")
    with pytest.raises(SchemaError, match="at least two posts on both sides"):
        check_drift(tmp_path / "one.parquet", promise, run_folder=run)


def test_a_promise_too_unsure_to_audit_is_refused_before_anyone_reads(scores, promise, tmp_path):
    points = tuple(point.model_copy(update={"confidence_level": 0.5}) for point in promise.operating_points)
    unsure = promise.model_copy(update={"operating_points": points})
    with pytest.raises(ConfigError, match=r"needs more than 0\.5"):
        draw_sample(scores, tmp_path / "sample.csv", unsure, "suicidewatch", 100, seed=1)
    assert not list(tmp_path.glob("sample.csv*"))
