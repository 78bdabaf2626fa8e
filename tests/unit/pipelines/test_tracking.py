"""Runs and models reach MLflow as numbers and digests; a bundle is registered once and loads by alias."""

import math
import os

import numpy as np
import pandas as pd
import pytest

from pipelines.tracking import (
    find_tracked_run,
    is_reachable,
    locate_artifacts,
    open_store,
    track_run,
)
from screening.config import TrackingConfig
from screening.exceptions import BundleError, ConfigError, SchemaError
from screening.types import Estimate, Interval

TEXTS = ["a quiet day at the lake", "nothing works and nobody calls", "my dog is happy"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracking")
    return TrackingConfig(uri=f"sqlite:///{folder}/mlflow.db", experiment="unit")


@pytest.fixture(scope="module")
def registered(config, tiny_bundle):
    """Register the same bundle from two runs."""
    versions = []
    for name in ("first", "second"):
        with track_run(config, name, params={}, tags={}) as tracker:
            tags = {"data_digest.train": "ab12", "commit": "1a2b3c"}
            versions.append(tracker.register_bundle(tiny_bundle, name="screener", tags=tags))
            tracker.point_alias("screener", "champion", versions[-1])
    return versions


def load_champion(config):
    import mlflow

    open_store(config)  # which says where the registry is
    return mlflow.pyfunc.load_model("models:/screener@champion")


def read_run(config, name):
    client, experiment_id = open_store(config)
    (run,) = client.search_runs([experiment_id], f"attributes.run_name = '{name}'")
    return client, run


def test_run_keeps_parameters_tags_and_metrics(config):
    with track_run(config, "numbers", params={"seed": 13, "model": {"pooling": "mean"}}, tags={"n": 3}) as tracker:
        tracker.log_metrics({"macro_f1": 0.75, "undefined": None, "nan": math.nan})
    _, run = read_run(config, "numbers")
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "13", "model.pooling": "mean"}
    assert run.data.metrics == {"macro_f1": 0.75}
    assert run.data.tags["n"] == "3"


def test_estimates_are_logged_with_interval_and_n(config):
    known = Estimate(value=0.5, interval=Interval(low=0.4, high=0.6), n_samples=90, split="test")
    nobody = Estimate(value=None, n_samples=0, split="test")
    with track_run(config, "estimates", params={}, tags={}) as tracker:
        tracker.log_estimates({"gain": known, "share": nobody}, "explanation")
    _, run = read_run(config, "estimates")
    assert run.data.metrics == {
        "explanation_gain": 0.5, "explanation_gain_low": 0.4, "explanation_gain_high": 0.6, "explanation_gain_n": 90,
        "explanation_share_n": 0,
    }  # fmt: skip


def test_the_latest_run_with_all_tags_is_found(config):
    for name, bundle in (("older", "b1"), ("newer", "b1"), ("other", "b2")):
        with track_run(config, f"found-{name}", params={}, tags={"run_id": "r1", "bundle_version": bundle}):
            pass
    found = find_tracked_run(config, {"run_id": "r1", "bundle_version": "b1"})
    assert found is not None
    assert found.run_id == read_run(config, "found-newer")[1].info.run_id
    assert find_tracked_run(config, {"run_id": "r1", "bundle_version": "b3"}) is None


def test_epoch_history_has_one_point_per_epoch_and_metric(config):
    history = pd.DataFrame({"epoch": [1.0, 2.0, 3.0], "loss": [0.9, 0.5, np.nan], "note": ["a", "b", "c"]})
    with track_run(config, "history", params={}, tags={}) as tracker:
        tracker.log_epoch_history(history)
    client, run = read_run(config, "history")
    points = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(1, 0.9), (2, 0.5)]
    assert set(run.data.metrics) == {"loss"}


def test_run_that_breaks_is_kept_as_failed(config):
    def fail():
        with track_run(config, "broken", params={}, tags={}):
            message = "stage broke"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="stage broke"):
        fail()
    assert read_run(config, "broken")[1].info.status == "FAILED"


def test_artifacts_lie_beside_the_database(config, tmp_path):
    report = tmp_path / "report"
    report.mkdir()
    (report / "index.html").write_text("<p>numbers</p>")
    (tmp_path / "config.yaml").write_text("seed: 13\n")
    with track_run(config, "artifacts", params={}, tags={}) as tracker:
        tracker.log_artifacts(report)
        tracker.log_artifacts(tmp_path / "config.yaml")
    client, run = read_run(config, "artifacts")
    assert [entry.path for entry in client.list_artifacts(run.info.run_id)] == ["config.yaml", "report"]
    assert run.info.artifact_uri.startswith(locate_artifacts(config.uri))


def test_posts_are_refused_and_nothing_is_copied(config, tmp_path):
    posts = tmp_path / "report"
    posts.mkdir()
    (posts / "index.html").write_text("<p>numbers</p>")
    pd.DataFrame({"post_id": ["a"], "text": ["planted phrase"]}).to_parquet(posts / "posts.parquet")
    with (
        track_run(config, "refusal", params={}, tags={}) as tracker,
        pytest.raises(SchemaError, match="has column text"),
    ):
        tracker.log_artifacts(posts)
    client, run = read_run(config, "refusal")
    assert client.list_artifacts(run.info.run_id) == []


def test_store_that_cannot_be_opened_is_a_configuration_error():
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_store(TrackingConfig(uri="unknowndb://ann@db.example/mlflow"))
    assert not is_reachable("unknowndb://ann@db.example/mlflow")


def test_pickle_and_telemetry_are_switched_off(config):
    open_store(config)
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_same_bundle_is_registered_once(config, registered):
    client, _ = open_store(config)
    assert registered == ["1", "1"]
    assert len(client.search_model_versions("name = 'screener'")) == 1


def test_version_carries_promise_and_data_digests(config, registered):
    client, _ = open_store(config)
    tags = client.get_model_version_by_alias("screener", "champion").tags
    assert tags["data_digest.train"] == "ab12"
    assert tags["target_recall.any_risk"] == "0.95"
    assert tags["threshold.any_risk"] == "0.93"
    assert tags["is_synthetic"] == "true"
    assert len(tags["bundle_version"]) == 12


def test_altered_bundle_is_not_registered(config, tiny_bundle, tmp_path):
    import shutil

    altered = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, altered)
    (altered / "model.safetensors").write_bytes(b"x")
    with track_run(config, "altered", params={}, tags={}) as tracker, pytest.raises(BundleError, match="altered"):
        tracker.register_bundle(altered, name="never", tags={"bundle_version": "x"})
    client, _ = open_store(config)
    assert len(client.search_model_versions("name = 'never'")) == 0


def test_registered_model_scores_like_the_bundle(config, registered, tiny_bundle):
    from screening.scoring import Screener

    model = load_champion(config)
    served = model.predict(pd.DataFrame({"text": TEXTS, "post_id": ["x", "y", "z"]}))
    expected = Screener.load(tiny_bundle).score(TEXTS, ["x", "y", "z"])
    pd.testing.assert_frame_equal(served[list(expected)], expected)
    assert served["model_version"].nunique() == 1
    assert list(served.columns) == model.metadata.get_output_schema().input_names()


def test_registered_model_works_without_ids_and_names_missing_texts(config, registered):
    model = load_champion(config)
    assert model.predict(pd.DataFrame({"text": TEXTS}))["post_id"].tolist() == ["post-1", "post-2", "post-3"]
    with pytest.raises(SchemaError, match="post-2"):
        model.predict(pd.DataFrame({"text": ["a", None]}))


def test_caller_cannot_change_a_threshold(config, registered):
    model = load_champion(config)
    with pytest.raises(ConfigError, match="expected no threshold_any_risk"):
        model.predict(pd.DataFrame({"text": TEXTS}), params={"threshold_any_risk": 0.999})


def test_nothing_in_the_registered_model_is_a_pickle(config, registered):
    from pathlib import Path

    folder = Path(locate_artifacts(config.uri).removeprefix("file://"))
    suffixes = {file.suffix for file in folder.rglob("*") if file.is_file()}
    assert suffixes.isdisjoint({".pkl", ".pickle", ".joblib", ".bin", ".pt", ".pth", ".pyc"}), suffixes
    assert ".safetensors" in suffixes
