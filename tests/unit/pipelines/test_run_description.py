"""Parameters and tags are written as flat text."""

from pipelines.run_description import MAX_PARAM_CHARACTERS, flatten_params
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
