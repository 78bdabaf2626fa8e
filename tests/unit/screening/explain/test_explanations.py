"""The explanation table holds spans of the post, never its text."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from screening.calibration.temperature import TemperatureScaling
from screening.explain.attribution import AttributionSettings
from screening.explain.explanations import COLUMN_TYPES, explain_posts
from screening.taxonomy import load_taxonomy

TEXTS = ["So tired, my dog isn't happy 😀", "", "cafe\u0301 tonight", "i feel so tired " * 30]
IDS = ["p1", "p2", "p3", "p4"]


@dataclass
class SmallBundle:
    classifier: Any
    tokenizer: Any
    manifest: Any
    version: str = "0123456789ab"
    words: Any = None


@pytest.fixture(params=["bert", "roberta"])
def bundle(request: pytest.FixtureRequest) -> SmallBundle:
    name = request.param
    temperature = TemperatureScaling(temperature=1.5, n_samples=100)
    manifest = SimpleNamespace(
        taxonomy=load_taxonomy("mh5"), temperature=temperature, max_tokens=40, long_posts="windows"
    )
    return SmallBundle(
        request.getfixturevalue(f"{name}_classifier"), request.getfixturevalue(f"{name}_tokenizer"), manifest
    )


@pytest.fixture
def table(bundle: SmallBundle) -> pd.DataFrame:
    return explain_posts(bundle, TEXTS, IDS)


def _words(table: pd.DataFrame, post_id: str) -> list[str]:
    text = TEXTS[IDS.index(post_id)]
    return [text[row.start : row.end] for row in table[table.post_id == post_id].itertuples()]


def test_every_span_is_exactly_a_word_of_its_post(table: pd.DataFrame) -> None:
    assert _words(table, "p1") == ["So", "tired", ",", "my", "dog", "isn't", "happy", "😀"]
    assert _words(table, "p3") == ["cafe\u0301", "tonight"]


def test_a_post_without_words_has_no_row(table: pd.DataFrame) -> None:
    assert _words(table, "p2") == []


def test_a_post_longer_than_the_window_is_explained_to_its_end(table: pd.DataFrame) -> None:
    assert _words(table, "p4") == TEXTS[3].split()


def test_a_cut_post_has_only_the_words_that_were_read(bundle: SmallBundle) -> None:
    cut = replace(bundle, manifest=SimpleNamespace(**{**vars(bundle.manifest), "long_posts": "cut"}))
    words = _words(explain_posts(cut, TEXTS, IDS), "p4")
    assert words == TEXTS[3].split()[: len(words)]
    assert 0 < len(words) <= 38


def test_the_table_has_the_agreed_columns_and_no_text(table: pd.DataFrame, bundle: SmallBundle) -> None:
    assert list(table.columns) == list(COLUMN_TYPES)
    assert set(table["head"]) == {"class:suicidewatch"}
    assert set(table["model_version"]) == {bundle.version}
    strings = table.select_dtypes("str").to_numpy().ravel()
    assert not any("tired" in value for value in strings)


def test_words_with_one_error_share_one_reliability(table: pd.DataFrame) -> None:
    per_post = table.groupby("post_id")[["delta_relative", "is_reliable", "n_steps"]].nunique()
    assert (per_post == 1).all(axis=None)
    assert (table["is_reliable"] == (table["delta_relative"] <= 0.05)).all()


def test_capped_steps_show_in_the_table(bundle: SmallBundle) -> None:
    settings = AttributionSettings(delta_limit=1e-5, first_steps=2, max_steps=2)
    table = explain_posts(bundle, TEXTS[:1], IDS[:1], settings=settings)
    assert not table["is_reliable"].any()
    assert set(table["n_steps"]) == {2}
    assert set(table["unreliable_because"]) == {"delta"}


def test_no_posts_give_an_empty_table_with_the_same_columns(bundle: SmallBundle) -> None:
    table = explain_posts(bundle, [], [])
    assert table.empty
    assert table.dtypes.astype(str).to_dict() == COLUMN_TYPES


def test_texts_and_ids_must_match(bundle: SmallBundle) -> None:
    with pytest.raises(ValueError, match="4 texts and 1 ids"):
        explain_posts(bundle, TEXTS, IDS[:1])
