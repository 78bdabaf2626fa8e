"""The registered model's interface follows from the bundle: columns, requirements, tags."""

import re

import pytest

from pipelines.serving import build_requirements, build_signature, describe_manifest, name_score_columns
from pipelines.tracking import import_mlflow
from screening.bundle import load_manifest


@pytest.fixture(scope="module")
def manifest(tiny_bundle):
    import_mlflow()  # quietly: MLflow's own imports warn
    return load_manifest(tiny_bundle)


def test_signature_takes_text_and_an_optional_id_and_no_parameters(manifest):
    signature = build_signature(manifest)
    assert {column.name: column.required for column in signature.inputs} == {"text": True, "post_id": False}
    assert signature.params is None


def test_score_columns_hold_a_probability_per_class_and_a_risk_per_target(manifest):
    columns = name_score_columns(manifest)
    assert "text" not in columns
    assert [name for name in columns if name.startswith("prob_")] == [f"prob_{n}" for n in manifest.taxonomy.names]
    assert {name for name in columns if name.startswith("risk_")} == {"risk_suicidewatch", "risk_any_risk"}


def test_requirements_are_exact_versions_without_build_marks():
    requirements = build_requirements()
    assert all(re.fullmatch(r"[a-z-]+==\d[\w.]*", line) for line in requirements), requirements
    assert any(line.startswith("torch==") for line in requirements)


def test_tags_carry_the_promise_of_every_operating_point(manifest):
    tags = describe_manifest(manifest)
    for point in manifest.operating_points:
        assert tags[f"target_recall.{point.name}"] == 0.95
        assert tags[f"confidence_level.{point.name}"] == 0.95
        assert tags[f"threshold.{point.name}"] == point.threshold
        assert tags[f"n_positive.{point.name}"] == 59
