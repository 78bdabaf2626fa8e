"""Teachers: what a student is given, what it learns from it, and what is refused."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from screening.config import RunConfig
from screening.exceptions import ConfigError
from screening.inference.forward import compute_logits
from screening.training.fitting import tokenize_posts
from screening.training.teachers import add_teachers
from tests.unit.screening.training.small_training import TAXONOMY, fit, make_config, save_classifier

TEXTS = [f"{word} {letter} no sleep" for word in ("happy", "my dog", "tired", "today") for letter in "abcxyz"]


@pytest.fixture
def posts() -> pd.DataFrame:
    """In place of the shared posts: those whose texts the teachers are asked about."""
    return pd.DataFrame({"text": TEXTS, "label": [TAXONOMY.names[i % 5] for i in range(len(TEXTS))]})


def make_student_config(encoder: Path, *teachers: Path, **objective: Any) -> RunConfig:
    settings = {"teachers": f"[{', '.join(map(str, teachers))}]", "preset": "distillation"} | objective
    overrides = ["model.dropout=0", *(f"objective.{name}={value}" for name, value in settings.items())]
    training = {"epochs": 30, "batch_size": 8, "early_stopping_patience": 30, "save_every_steps": 50}
    return make_config(encoder, *overrides, **training)


def test_training_posts_carry_the_mean_probabilities_of_all_teachers(
    posts: pd.DataFrame, teacher: Path, encoder: Path, tmp_path: Path, bert_classifier: Any, bert_tokenizer: Any
) -> None:
    from scipy.special import softmax

    changed = copy.deepcopy(bert_classifier)
    with torch.no_grad():
        changed.class_head.bias += torch.arange(5.0)
    other = save_classifier(tmp_path / "other", changed, bert_tokenizer)
    config = make_student_config(encoder, teacher, other)
    dataset = tokenize_posts(posts, bert_tokenizer, TAXONOMY, 16)
    given = add_teachers(dataset, TEXTS, config, TAXONOMY.names, "fp32")["teacher_probabilities"]
    first = compute_logits(bert_classifier, bert_tokenizer, TEXTS, precision="fp32", max_tokens=16).logits
    second = first + np.arange(5)
    np.testing.assert_allclose(np.array(given), (softmax(first, 1) + softmax(second, 1)) / 2, atol=1e-5)


def test_a_student_of_teachers_alone_comes_to_agree_with_them(
    posts: pd.DataFrame, encoder: Path, tmp_path: Path, bert_classifier: Any, bert_tokenizer: Any
) -> None:
    opinionated = copy.deepcopy(bert_classifier)
    with torch.no_grad():
        opinionated.class_head.weight *= 60  # of its own about every post
    teacher = save_classifier(tmp_path / "teacher", opinionated, bert_tokenizer)
    expected = compute_logits(opinionated, bert_tokenizer, TEXTS, precision="fp32", max_tokens=16).logits
    said = [TAXONOMY.names[i] for i in expected.argmax(1)]
    wrong = posts.assign(label=[TAXONOMY.names[i] for i in (expected.argmax(1) + 1) % 5])
    config = make_student_config(encoder, teacher, weights="{ce: 0, distillation: 1}")
    student = fit(config, wrong, tmp_path / "student", validation=posts.assign(label=["suicidewatch", *said[1:]]))
    found = compute_logits(student.classifier, bert_tokenizer, TEXTS, precision="fp32", max_tokens=16).logits
    assert np.mean(found.argmax(1) == expected.argmax(1)) > 0.8
    assert "loss_distillation" in student.history


def test_two_views_of_a_post_share_its_teachers(
    posts: pd.DataFrame, teacher: Path, encoder: Path, tmp_path: Path
) -> None:
    config = make_student_config(encoder, teacher, weights="{ce: 1, r_drop: 1, distillation: 1}", n_views=2)
    changed = {
        "training": config.training.model_copy(update={"epochs": 1}),
        "model": config.model.model_copy(update={"dropout": 0.1}),
    }
    student = fit(config.model_copy(update=changed), posts, tmp_path / "student", validation=posts)
    assert np.isfinite(student.history["loss_distillation"].dropna()).all()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"teachers": "[]"}, "found 0 teachers and weight 0.5 of distillation"),
        ({"preset": "cmhl"}, "found 1 teachers and weight 0 of distillation"),
        ({"teachers": "[nowhere]"}, "nowhere holds no trained classifier; expected the folder model/ of a run"),
    ],
)
def test_refusals_say_what_to_set(
    posts: pd.DataFrame, teacher: Path, encoder: Path, tmp_path: Path, changes: dict[str, str], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        fit(make_student_config(encoder, teacher, **changes), posts, tmp_path / "student")


def test_a_teacher_of_other_classes_is_refused(
    posts: pd.DataFrame, encoder: Path, tmp_path: Path, bert_classifier: Any, bert_tokenizer: Any
) -> None:
    renamed = copy.deepcopy(bert_classifier)
    renamed.config.id2label = dict(enumerate("abcde"))
    other = save_classifier(tmp_path / "other", renamed, bert_tokenizer)
    with pytest.raises(ConfigError, match="other tells a, b, c, d, e apart, expected depression, suicidewatch"):
        fit(make_student_config(encoder, other), posts, tmp_path / "student")
