"""The registered model's interface follows from the bundle; its thresholds move only where an operator lets them."""

import json
import re

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.serving.registered_model import (
    build_requirements,
    build_signature,
    describe_manifest,
    export_screener,
    name_served_columns,
)
from pipelines.serving.served_screener import (
    ServingConfig,
    choose_thresholds,
    load_screener,
    score_table,
    validate_size,
    write_nulls,
)
from pipelines.tracking import import_mlflow
from screening.bundle import load_manifest
from screening.exceptions import BundleError, ConfigError, SchemaError
from screening.inference.backends import is_installed
from screening.scoring import Screener

POSTS = pd.DataFrame({"text": ["i feel so tired today", "my dog is happy", "no sleep tonight"]})
OPEN = ServingConfig(allow_threshold_override=True)


@pytest.fixture(scope="module")
def screener(tiny_bundle):
    import_mlflow()  # quietly: MLflow's own imports warn
    return Screener.load(tiny_bundle)


def test_signature_takes_text_and_an_optional_id_and_an_optional_threshold_per_target(screener):
    signature = build_signature(screener)
    assert {column.name: column.required for column in signature.inputs} == {"text": True, "post_id": False}
    assert {param.name: param.default for param in signature.params} == {
        "threshold_suicidewatch": None,
        "threshold_any_risk": None,
    }


def test_served_columns_are_the_score_table_and_what_its_triage_rests_on(screener):
    columns = list(name_served_columns(screener))
    scores = list(screener.score(POSTS["text"].tolist()))
    extra = ["threshold_suicidewatch", "threshold_any_risk", "model_version", "operating_point"]
    assert columns == [*scores, *extra]


def test_requirements_are_exact_versions_without_build_marks():
    requirements = build_requirements()
    assert all(re.fullmatch(r"[a-z-]+==\d[\w.]*", line) for line in requirements), requirements
    assert any(line.startswith("torch==") for line in requirements)
    assert not any(line.startswith("openvino") for line in requirements)


@pytest.mark.skipif(not is_installed("openvino"), reason="needs the extra openvino")
def test_a_bundle_calibrated_on_openvino_requires_it():
    assert any(line.startswith("openvino==") for line in build_requirements("openvino"))


def test_tags_carry_the_promise_of_every_operating_point(screener):
    manifest = screener.manifest
    tags = describe_manifest(manifest)
    for point in manifest.operating_points:
        assert tags[f"target_recall.{point.name}"] == 0.95
        assert tags[f"confidence_level.{point.name}"] == 0.95
        assert tags[f"threshold.{point.name}"] == point.threshold
        assert tags[f"n_positive.{point.name}"] == 59


def test_without_parameters_the_thresholds_are_the_certified_ones_and_said_to_be(screener):
    thresholds = choose_thresholds(screener, {"threshold_any_risk": None}, OPEN)
    assert thresholds == {point.name: point.threshold for point in screener.manifest.operating_points}
    table = score_table(screener, POSTS, thresholds)
    assert set(table["operating_point"]) == {"certified"}
    assert set(table["threshold_any_risk"]) == {0.93}


def test_a_threshold_is_refused_unless_the_operator_lets_callers_choose(screener):
    with pytest.raises(ConfigError, match="expected no threshold_any_risk"):
        choose_thresholds(screener, {"threshold_any_risk": 0.5}, ServingConfig())


def test_an_allowed_threshold_moves_the_triage_and_is_marked_in_every_row(screener):
    certified = score_table(screener, POSTS, choose_thresholds(screener, None, OPEN))
    highest = float(certified["risk_any_risk"].max())
    params = {"threshold_any_risk": highest, "threshold_suicidewatch": 1.0}
    moved = score_table(screener, POSTS, choose_thresholds(screener, params, OPEN))
    assert set(moved["operating_point"]) == {"override"}
    assert set(moved["threshold_any_risk"]) == {highest}
    assert (certified["triage"] != "no_flag").all()
    assert (moved["triage"] != "no_flag").tolist() == (certified["risk_any_risk"] == highest).tolist()
    unmoved = ["triage", "threshold_any_risk", "threshold_suicidewatch", "operating_point"]
    pd.testing.assert_frame_equal(moved.drop(columns=unmoved), certified.drop(columns=unmoved))


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_threshold_outside_0_to_1_is_refused(screener, value):
    with pytest.raises(ConfigError, match=r"in \[0, 1\]"):
        choose_thresholds(screener, {"threshold_any_risk": value}, OPEN)


def test_a_parameter_nobody_knows_is_refused_without_repeating_it(screener):
    with pytest.raises(ConfigError, match="found 1 others") as caught:
        choose_thresholds(screener, {"words of a post": 0.5}, OPEN)
    assert "words" not in str(caught.value)


def test_an_operators_choice_is_a_truth_value_not_something_like_one():
    with pytest.raises(ValueError, match="valid boolean"):
        ServingConfig.model_validate({"allow_threshold_override": "no"})


def test_too_many_posts_or_too_much_text_are_refused_with_both_numbers():
    validate_size(POSTS, ServingConfig(max_posts=3))
    with pytest.raises(SchemaError, match=r"at most 2 posts .* found 3"):
        validate_size(POSTS, ServingConfig(max_posts=2))
    with pytest.raises(SchemaError, match=r"at most 20 characters, found 21 in post 1"):
        validate_size(POSTS, ServingConfig(max_characters=20))
    with pytest.raises(SchemaError, match=r"at most 50 characters of text in one request, found 52"):
        validate_size(POSTS, ServingConfig(max_request_characters=50))


def test_a_served_request_that_waits_too_long_for_another_is_given_up(tiny_bundle, tmp_path):
    mlflow = import_mlflow()
    export_screener(tiny_bundle, tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"), model_config={"max_wait_seconds": 0.01})
    served = model.unwrap_python_model()
    served.is_served = True
    with served.lock, pytest.raises(RuntimeError, match=r"longer than 0\.01 seconds"):
        served.predict(None, POSTS)
    assert len(served.predict(None, POSTS)) == 3  # the lock is free again


def test_an_answer_is_json_that_every_reader_takes():
    table = pd.DataFrame(
        {"prob_anxiety": [0.1 + 0.2, float("nan")], "triage": ["review", "no_flag"], "n_tokens": [7, 0]}
    )
    answer = json.loads(json.dumps(write_nulls(table).to_dict("records"), allow_nan=False))
    assert answer == [
        {"prob_anxiety": 0.1 + 0.2, "triage": "review", "n_tokens": 7},
        {"prob_anxiety": None, "triage": "no_flag", "n_tokens": 0},
    ]


def test_a_bundle_is_loaded_once_per_process(tiny_bundle):
    assert load_screener(tiny_bundle) is load_screener(tiny_bundle)


def test_an_exported_model_scores_without_a_store_and_holds_no_pickle(tiny_bundle, screener, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow = import_mlflow()
    export_screener(tiny_bundle, tmp_path / "model")
    assert not list(tmp_path.rglob("*.db"))
    suffixes = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
    assert suffixes.isdisjoint({".pkl", ".pickle", ".joblib", ".bin", ".pt", ".pth", ".pyc"}), suffixes
    written = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text(encoding="utf-8"))
    assert written["flavors"]["python_function"]["config"]["allow_threshold_override"] is False
    served = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(POSTS)
    assert served["risk_any_risk"].tolist() == screener.score(POSTS["text"].tolist())["risk_any_risk"].tolist()


def test_the_command_exports_a_whole_model_and_replaces_none(tiny_bundle, tmp_path):
    call = ["export", str(tiny_bundle), "--out", str(tmp_path / "model")]
    assert "mlflow models serve -m" in CliRunner().invoke(app, call).output
    assert len(import_mlflow().pyfunc.load_model(str(tmp_path / "model")).predict(POSTS)) == len(POSTS)
    assert isinstance(CliRunner().invoke(app, call).exception, ConfigError)
    broken = CliRunner().invoke(app, ["export", str(tmp_path), "--out", str(tmp_path / "other")])
    assert isinstance(broken.exception, BundleError)
    assert not (tmp_path / "other").exists()


def test_an_exported_model_of_a_quantised_bundle_carries_its_files_and_scores_with_them(
    save_small_bundle, small_quantised, tmp_path
):
    made = {"backend": "openvino", "quantisation": "int8", "quantised": small_quantised}
    bundle = save_small_bundle(tmp_path / "bundle", **made)
    mlflow = import_mlflow()
    export_screener(bundle, tmp_path / "model")
    for name in ("quantised.xml", "quantised.bin"):
        (copy,) = (tmp_path / "model").rglob(name)
        assert copy.read_bytes() == (bundle / name).read_bytes()
    requirements = (tmp_path / "model" / "requirements.txt").read_text(encoding="utf-8")
    assert "openvino==" in requirements
    assert "nncf" not in requirements
    served = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(POSTS)
    expected = Screener.load(bundle).score(POSTS["text"].tolist())
    assert served["risk_any_risk"].tolist() == expected["risk_any_risk"].tolist()
    assert describe_manifest(load_manifest(bundle))["quantisation"] == "int8"


def test_an_operator_opens_the_thresholds_when_loading_the_model(tiny_bundle, tmp_path):
    mlflow = import_mlflow()
    export_screener(tiny_bundle, tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"), model_config={"allow_threshold_override": True})
    served = model.predict(POSTS, params={"threshold_any_risk": 0.0})
    assert set(served["operating_point"]) == {"override"}
