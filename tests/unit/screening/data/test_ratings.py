"""Rated sentences: scale, splits, and rows that are refused by number and never by text."""

from pathlib import Path

import pandas as pd
import pytest

from screening.config import PretrainingConfig
from screening.data.ratings import RatedSentences, count_rated, load_ratings
from screening.exceptions import SchemaError


def write(path: Path, n: int = 20, **columns: list[object]) -> Path:
    table = pd.DataFrame(
        {"text": [f"sentence {i}" for i in range(n)], "valence": [1 + i % 5 for i in range(n)], "arousal": [3] * n}
    ).assign(**columns)
    table.to_csv(path, index=False)
    return path


def load(path: Path, **settings: object) -> RatedSentences:
    return load_ratings(path, PretrainingConfig.model_validate(settings), seed=5)


def test_scale_is_mapped_to_the_circumplex(tmp_path: Path) -> None:
    found = load(write(tmp_path / "rated.csv"))
    rated = pd.concat([found.train, found.validation])
    number = rated["text"].str.removeprefix("sentence ").astype(int)
    assert rated["valence"].tolist() == ((number % 5) / 2 - 1).tolist()
    assert set(rated["arousal"]) == {0.0}


def test_one_file_is_divided_alike_every_time(tmp_path: Path) -> None:
    first, second = (load(write(tmp_path / "rated.csv"), validation_fraction=0.25) for _ in range(2))
    assert (len(first.train), len(first.validation)) == (15, 5)
    assert first.validation["text"].tolist() == second.validation["text"].tolist()
    assert not set(first.train["text"]) & set(first.validation["text"])


def test_folder_keeps_its_own_splits_and_texts_of_both_count_for_training(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", 6)
    write(tmp_path / "validation.csv", 8)
    write(tmp_path / "test.csv", 9, valence=[99] * 9)  # not read
    found = load(tmp_path)
    assert len(found.train) == 6
    assert found.validation["text"].tolist() == ["sentence 6", "sentence 7"]


@pytest.mark.parametrize(
    ("columns", "settings", "expected"),
    [
        ({"valence": [1, 6, *[2] * 18]}, {}, r"no valence or no arousal from 1 to 5 .* in 1 of 20 rows \(2\)"),
        ({"arousal": ["", "secret", *[2] * 18]}, {}, r"in 2 of 20 rows \(1, 2\)"),
        ({"text": ["  ", *["secret"] * 19]}, {}, r"no text in 1 of 20 rows \(1\)"),
        (
            {},
            {"valence_column": "V"},
            r"no column V among text, valence, arousal; name them with pretraining\.text_column",
        ),
        ({"text": ["secret"] * 20}, {}, "and others to validate with, found 18 and 0"),
    ],
)
def test_files_that_do_not_fit_are_refused_without_their_texts(
    columns: dict[str, list[object]], settings: dict[str, str], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match=expected) as refused:
        load(write(tmp_path / "rated.csv", **columns), **settings)
    assert "secret" not in str(refused.value)


def test_rated_sentences_are_counted_among_posts_as_they_are_once_cleaned(tmp_path: Path) -> None:
    rated = load(write(tmp_path / "rated.csv", text=["I&amp;#39;m  fine\u200b", *(f"sentence {i}" for i in range(19))]))
    assert count_rated(rated, ["I'm fine", "sentence 3", "sentence 18", "sentence 3 and more"]) == 3
    assert count_rated(rated, ["I&amp;#39;m  fine\u200b", "another"]) == 0
    assert sum(count_rated(rated, [f"sentence {i}"]) for i in range(19)) == 19  # of both parts


def test_folder_without_a_validation_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.csv")
    with pytest.raises(SchemaError, match="one file named validation or val or valid or dev, found 0"):
        load(tmp_path)
