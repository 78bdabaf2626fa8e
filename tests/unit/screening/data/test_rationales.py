"""Rationale spans: numbers or lists, moved to the cleaned text, refused by id when they do not fit."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.data.cleaning import clean_text
from screening.data.file_readers import read_table
from screening.data.rationales import extract_rationales, locate_in_cleaned
from screening.data.sources import read_posts_file
from screening.exceptions import SchemaError

TEXT = "  I&#39;m so\u200b  tired &amp; alone\r\n\r\n\r\nagain, can\u2019t sleep "
PLANTED = "zyxquartz"


def read(path: Path) -> dict[str, list[tuple[int, int]]] | None:
    return extract_rationales(read_table(path), read_posts_file(path, text_column="text"), where="posts")


def make(tmp_path: Path, starts: object, ends: object, text: str = TEXT) -> Path:
    path = tmp_path / "posts.jsonl"
    rows = [
        {"post_id": "p1", "text": text, "rationale_start": starts, "rationale_end": ends},
        {"post_id": "p2", "text": "fine", "rationale_start": None, "rationale_end": None},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_spans_point_at_the_same_words_after_cleaning(tmp_path: Path) -> None:
    words = ["I&#39;m", "tired", "alone", "again, can\u2019t"]
    starts = [TEXT.index(word) for word in words]
    ends = [start + len(word) for start, word in zip(starts, words, strict=True)]
    found = read(make(tmp_path, starts, ends))
    assert found is not None
    cleaned = clean_text(TEXT)
    assert [cleaned[start:end] for start, end in found["p1"]] == ["I'm", "tired", "alone", "again, can\u2019t"]
    assert "p2" not in found


def test_a_csv_file_holds_numbers_or_lists_as_json(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    cells = {"rationale_start": ["3", "[0, 9]", ""], "rationale_end": ["8", "[2, 14]", ""]}
    pd.DataFrame({"text": ["so tired", "so tired today", "fine"], **cells}).to_csv(path, index=False)
    assert read(path) == {"posts-1": [(3, 8)], "posts-2": [(0, 2), (9, 14)]}


def test_a_parquet_file_holds_lists(tmp_path: Path) -> None:
    path = tmp_path / "posts.parquet"
    spans = {"rationale_start": [[3], []], "rationale_end": [[8], []]}
    pd.DataFrame({"post_id": ["a", "b"], "text": ["so tired", "fine"], **spans}).to_parquet(path)
    assert read(path) == {"a": [(3, 8)]}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_whole_numbers_with_gaps_as_pandas_writes_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"posts{suffix}"
    table = pd.DataFrame({"post_id": ["a", "b"], "text": ["so tired", "fine"]})
    table = table.assign(rationale_start=[3, None], rationale_end=[8, None])  # float64, for the gap
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    assert read(path) == {"a": [(3, 8)]}


def test_a_file_without_the_columns_has_no_rationales(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    pd.DataFrame({"text": ["so tired"]}).to_csv(path, index=False)
    assert read(path) is None


def test_one_column_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    pd.DataFrame({"text": ["so tired"], "rationale_start": ["3"]}).to_csv(path, index=False)
    with pytest.raises(SchemaError, match="found only rationale_start"):
        read(path)


@pytest.mark.parametrize(
    ("starts", "ends", "reason"),
    [
        ([0, 5], [3], "different numbers"),
        ([3], None, "different numbers"),
        ([-1], [3], "outside the text"),
        ([0], [10_000], "outside the text"),
        ([5], [5], "outside the text or is empty"),
        (["a"], [3], "not whole numbers"),
        ([True], [3], "not whole numbers"),
        ([0.5], [3], "not whole numbers"),
        ("[1,", "3", "not whole numbers"),
        ([0], [1], "nothing visible"),
    ],
)
def test_spans_that_do_not_fit_are_refused_by_id_and_without_text(
    tmp_path: Path, starts: object, ends: object, reason: str
) -> None:
    with pytest.raises(SchemaError, match=reason) as caught:
        read(make(tmp_path, starts, ends, text=f" \u200b{PLANTED} so tired"))
    assert "p1" in str(caught.value)
    assert "p2" not in str(caught.value)
    assert PLANTED not in str(caught.value)


@given(st.text(alphabet=" ab&;.\u200b\n\u00e9e\u0301", max_size=40), st.integers(0, 40))
def test_places_stay_in_order_and_inside_the_cleaned_text(text: str, place: int) -> None:
    places = [locate_in_cleaned(text, i) for i in range(len(text) + 1)]
    assert places == sorted(places)
    assert places[0] == 0
    assert all(0 <= found <= len(clean_text(text + "x")) for found in places)


@given(st.text(alphabet="ab cd.\n", max_size=40))
def test_clean_text_leaves_places_alone(text: str) -> None:
    cleaned = clean_text(text)
    assert [locate_in_cleaned(cleaned, i) for i in range(len(cleaned))] == list(range(len(cleaned)))
