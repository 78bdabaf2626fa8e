"""A setting nothing reads is refused, with the terms that would read it."""

from typing import Any

import pytest
from pydantic import ValidationError

from screening.config import ObjectiveConfig, RunConfig
from screening.exceptions import ConfigError
from screening.objectives.registry import OBJECTIVES
from screening.objectives.unread_settings import OF_TWO_PHASES, READERS, refuse_unread_settings


def make_config(**objective: Any) -> RunConfig:
    return RunConfig.model_validate({"objective": objective})


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"preset": "cross_entropy", "temperature": 0.1}, r"objective.temperature is read by scl, lcl, mccl alone"),
        ({"preset": "cmhl", "queue_size": 9}, r"objective.queue_size is read by mccl alone"),
        ({"preset": "scl_joint", "weighting_network": "head"}, r"read by lcl, ce_weighting alone"),
        ({"preset": "carl", "weights": {"ptd": 0}, "perturbed_fraction": 0.3}, r"read by ptd alone"),
        ({"preset": "cross_entropy", "contradiction_form": "B"}, r"read by contradiction alone"),
        ({"weights": {"ce": 0}, "label_smoothing": 0.1}, r"read by ce, ce_weighting alone"),
        ({"preset": "scl_joint", "classifier_epochs": 3}, r"classifier_epochs is read by the second of two phases"),
    ],
)
def test_a_setting_nothing_reads_is_refused(settings: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        refuse_unread_settings(make_config(**settings))


@pytest.mark.parametrize(
    ("objective", "detection_weight", "found"),
    [({"ramp_fraction": 0.5}, 1.0, "ramp_fraction"), ({"perturbed_fraction": 0.4}, 0.0, "perturbed_fraction")],
)
def test_a_setting_that_only_a_stage_on_rated_sentences_could_read_is_refused_where_it_does_not(
    objective: dict[str, Any], detection_weight: float, found: str
) -> None:
    tree = {
        "objective": {"preset": "cross_entropy", **objective},
        "pretraining": {"path": "ratings.csv", "detection_weight": detection_weight},
    }
    with pytest.raises(ConfigError, match=f"objective.{found} is read by"):
        refuse_unread_settings(RunConfig.model_validate(tree))


def test_a_stage_on_rated_sentences_reads_the_settings_of_its_terms() -> None:
    objective = {"preset": "cross_entropy", "temperature": 0.1, "queue_size": 9, "perturbed_fraction": 0.4}
    refuse_unread_settings(RunConfig.model_validate({"objective": objective, "pretraining": {"path": "ratings.csv"}}))


def test_two_views_that_are_the_same_are_refused_where_they_are_compared() -> None:
    without = {"dropout": 0, "attention_dropout": 0}
    with pytest.raises(ConfigError, match=r"the same without dropout; set model.dropout above 0"):
        refuse_unread_settings(RunConfig.model_validate({"objective": {"preset": "r_drop"}, "model": without}))
    refuse_unread_settings(make_config(preset="r_drop"))


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_a_weight_is_a_number_from_zero_up(weight: float) -> None:
    with pytest.raises(ValidationError, match=r"weights.scl"):
        ObjectiveConfig(weights={"scl": weight})


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "scl_two_phase", "temperature": 0.1, "is_normalised": False, "projection_size": 8},
        {"preset": "cmhl", "weights": {"scl": 0.1}, "ramp_fraction": 0.5},
        {"preset": "lcl", "weighting_network": "head"},
        {"preset": "carl", "queue_size": 9, "key_momentum": 0.9, "coordinate_scale": 0.1, "perturbed_fraction": 0.3},
        {"preset": "cross_entropy", "label_smoothing": 0.1, "n_views": 2},
        {"preset": "scl_two_phase", "classifier_epochs": 3, "classifier_learning_rate": 0.01},
    ],
)
def test_a_setting_some_term_reads_is_allowed(settings: dict[str, Any]) -> None:
    refuse_unread_settings(make_config(**settings))


def test_the_stage_before_reads_what_its_terms_read() -> None:
    objective = {"preset": "cmhl", "queue_size": 9, "temperature": 0.1}
    refuse_unread_settings(RunConfig.model_validate({"objective": objective, "pretraining": {"path": "ratings.csv"}}))


def test_settings_and_readers_exist() -> None:
    assert {*READERS, *OF_TWO_PHASES} <= set(ObjectiveConfig.model_fields)
    assert {name for readers in READERS.values() for name in readers} <= set(OBJECTIVES)
