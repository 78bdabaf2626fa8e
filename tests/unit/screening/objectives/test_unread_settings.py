"""A setting nothing reads is refused, with the terms that would read it."""

from typing import Any

import pytest

from screening.config import ObjectiveConfig
from screening.exceptions import ConfigError
from screening.objectives.registry import OBJECTIVES, Preset
from screening.objectives.unread_settings import READERS, refuse_unread_settings


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"preset": "cross_entropy", "temperature": 0.1}, r"objective.temperature is read by scl, lcl, mccl alone"),
        ({"preset": "cmhl", "queue_size": 9}, r"objective.queue_size is read by mccl alone"),
        ({"preset": "scl_joint", "weighting_network": "head"}, r"read by lcl, ce_weighting alone"),
        ({"preset": "carl", "weights": {"ptd": 0}, "perturbed_fraction": 0.3}, r"read by ptd alone"),
    ],
)
def test_a_setting_nothing_reads_is_refused(settings: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        refuse_unread_settings(ObjectiveConfig(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "scl_two_phase", "temperature": 0.1, "is_normalised": False, "projection_size": 8},
        {"preset": "cmhl", "weights": {"scl": 0.1}, "ramp_fraction": 0.5},
        {"preset": "lcl", "weighting_network": "head"},
        {"preset": "carl", "queue_size": 9, "key_momentum": 0.9, "coordinate_scale": 0.1, "perturbed_fraction": 0.3},
        {"preset": "cross_entropy", "label_smoothing": 0.1, "n_views": 2},
    ],
)
def test_a_setting_some_term_reads_is_allowed(settings: dict[str, Any]) -> None:
    refuse_unread_settings(ObjectiveConfig(**settings))


def test_the_stage_before_reads_what_its_terms_read() -> None:
    refuse_unread_settings(ObjectiveConfig(preset="cmhl", queue_size=9, temperature=0.1), is_pretrained=True)


def test_settings_and_readers_exist() -> None:
    assert set(READERS) <= set(ObjectiveConfig.model_fields) & set(Preset.__dataclass_fields__)
    assert {name for readers in READERS.values() for name in readers} <= set(OBJECTIVES)
