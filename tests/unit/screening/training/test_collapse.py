"""The guard speaks up when posts fall together, and is silent when they do not."""

import logging

import numpy as np
import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from screening.exceptions import ConfigError
from screening.training.collapse import (
    CollapseGuard,
    compute_effective_rank,
    describe_collapse,
    measure_collapse,
    measure_rank_collapse,
    refuse_divergence,
)

RNG = np.random.default_rng(0)
LABELS = np.arange(200) % 4
APART = np.eye(4)[LABELS] + 0.1 * RNG.normal(size=(200, 4))
TOGETHER = np.ones((200, 16)) + 0.01 * RNG.normal(size=(200, 16))


def test_effective_rank_counts_directions_used_alike() -> None:
    for n in (1, 3, 8):
        assert compute_effective_rank(np.eye(8)[np.arange(24) % n]) == pytest.approx(n)


def test_effective_rank_is_the_same_for_more_posts_than_numbers_and_fewer() -> None:
    vectors = RNG.normal(size=(6, 9))
    assert compute_effective_rank(vectors) == pytest.approx(compute_effective_rank(np.repeat(vectors, 3, axis=0)))


def test_noise_around_one_point_is_no_rank() -> None:
    assert compute_effective_rank(TOGETHER) == pytest.approx(1, abs=0.01)


def test_effective_rank_of_zeros_is_finite() -> None:
    assert np.isfinite(compute_effective_rank(np.zeros((3, 2))))


def test_separated_classes_are_no_collapse() -> None:
    measures = measure_collapse(APART, APART, LABELS)
    assert measures["is_collapsed"] == 0
    assert measures["largest_share"] == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("labels", [LABELS, np.r_[np.zeros(170, int), np.arange(30) % 4]])
def test_one_class_for_all_posts_is_a_collapse(labels: np.ndarray) -> None:
    measures = measure_collapse(APART, np.tile([0.0, 3.0, 0.0, 0.0], (200, 1)), labels)
    assert (measures["largest_share"], measures["is_collapsed"]) == (1, 1)


def test_one_class_for_posts_that_nearly_all_have_it_is_no_collapse() -> None:
    labels = np.r_[np.zeros(196, int), [1, 2, 3, 1]]
    assert measure_collapse(APART, np.tile([3.0, 0.0, 0.0, 0.0], (200, 1)), labels)["is_collapsed"] == 0


def test_representations_on_one_line_are_a_collapse_whatever_the_predictions() -> None:
    assert measure_collapse(TOGETHER, APART, LABELS)["is_collapsed"] == 1


def test_rated_sentences_on_one_line_are_a_collapse_without_any_class() -> None:
    ratings = RNG.normal(size=(200, 2))
    assert measure_rank_collapse(APART, ratings)["is_collapsed"] == 0
    measures = measure_rank_collapse(TOGETHER, ratings)
    assert measures["is_collapsed"] == 1
    sentence = describe_collapse({f"eval_{name}": value for name, value in measures.items()})
    assert sentence is not None
    assert "collapsed: representations have an effective rank of 1.0" in sentence


def test_two_classes_may_stand_on_one_line() -> None:
    line = np.where(np.arange(200) % 2, 1.0, -1.0)[:, None] * np.ones(8)
    assert measure_collapse(line, line[:, :2] * [1, -1], np.arange(200) % 2)["is_collapsed"] == 0


def test_guard_says_what_collapsed_and_what_to_change(tmp_path: object, caplog: pytest.LogCaptureFixture) -> None:
    arguments, state = TrainingArguments(output_dir=str(tmp_path), report_to=[]), TrainerState(epoch=2.0)
    collapsed = {f"eval_{k}": v for k, v in measure_collapse(TOGETHER, np.ones((200, 4)), LABELS).items()}
    healthy = {f"eval_{k}": v for k, v in measure_collapse(APART, APART, LABELS).items()}
    with caplog.at_level(logging.WARNING, logger="screening"):
        CollapseGuard().on_evaluate(arguments, state, TrainerControl(), metrics=healthy)
        assert not caplog.messages
        CollapseGuard().on_evaluate(arguments, state, TrainerControl(), metrics=collapsed)
    (message,) = caplog.messages
    assert message.startswith("epoch 2: The training has collapsed: 100.0% of validation posts get the same class")
    assert "training.learning_rate" in message


def test_posts_that_are_told_apart_on_one_line_are_not_said_to_get_one_class() -> None:
    measures = {f"eval_{name}": value for name, value in measure_collapse(TOGETHER, APART, LABELS).items()}
    sentence = describe_collapse(measures)
    assert sentence is not None
    assert "collapsed: representations have an effective rank of 1.0" in sentence
    assert "tell no posts apart" not in sentence


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_stop_the_training_with_what_to_set(value: float) -> None:
    logits = APART.copy()
    refuse_divergence(APART, logits)
    logits[3, 1] = value
    with pytest.raises(ConfigError, match=r"has diverged.* training\.learning_rate"):
        refuse_divergence(APART, logits)


def test_evaluation_without_measures_says_nothing() -> None:
    assert describe_collapse({"eval_loss": 1.0}) is None
