"""Parameters and tags are written as flat text, without credentials."""

from pipelines.run_description import MAX_PARAM_CHARACTERS, flatten_params, mask_credentials, write_as_text
from screening.config import RunConfig


def test_every_setting_of_a_run_becomes_one_parameter():
    flat = flatten_params(RunConfig().model_dump(mode="json"))
    assert flat["training.learning_rate"] == "0.0001"
    assert flat["calibration.target_recall"] == "0.95"
    assert flat["data.keep_splits"] == '["train", "validation", "test"]'
    assert flat["objective.weights"] == "{}"
    assert not any(isinstance(value, dict) for value in flat.values())


def test_long_values_are_cut():
    assert len(flatten_params({"a": "x" * 5_000})["a"]) == MAX_PARAM_CHARACTERS


def test_passwords_in_addresses_are_masked_wherever_they_stand():
    address = "postgresql://ann:s3cret@db.example:5432/mlflow"
    assert "s3cret" not in mask_credentials(f"store {address} is closed")
    assert flatten_params({"tracking": {"uri": address}}) == {"tracking.uri": "postgresql://***@db.example:5432/mlflow"}
    assert "s3cret" not in write_as_text({"stores": [address]})["stores"]


def test_addresses_without_credentials_stay_as_they_are():
    assert mask_credentials("sqlite:////srv/mlflow.db, https://x.example/a@b") == (
        "sqlite:////srv/mlflow.db, https://x.example/a@b"
    )
