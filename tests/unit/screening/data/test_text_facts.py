import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.data.text_facts import FACTS, LONG_WORDS, SHORT_WORDS, compute_text_facts


def holds(fact: str, text: str) -> bool:
    return bool(compute_text_facts([text])[fact].item())


@pytest.mark.parametrize(
    ("fact", "true", "false"),
    [
        ("first_person", "I\u2019m here with two or three others", "One two three four five said I to all of ten"),
        ("second_person", "Thank YOU all", "Youth is young"),
        ("third_person", "He left", "The shed is there"),
        ("question", "Why? Nobody knows.", "Why. Nobody knows."),
        ("negation", "I don\u2019t know", "A knot in wood"),
        ("url", "see WWW.example.org", "the www is old"),
        ("quotation", "she said \u201cgo away\u201d then", 'the "thing" of it'),
        ("quotation", "first\n> a quoted line", "a > b"),
        ("time", "at 3am", "in 43 parts"),
        ("time", "two weeks", "weakness"),
        ("advice", "Any advice?", "an advisor"),
    ],
)  # fmt: skip
def test_facts_hold_where_they_should_and_nowhere_else(fact: str, true: str, false: str) -> None:
    assert holds(fact, true)
    assert not holds(fact, false)


@pytest.mark.parametrize(
    ("n_words", "is_short", "is_long"),
    [(SHORT_WORDS - 1, True, False), (SHORT_WORDS, False, False), (LONG_WORDS, False, False),
     (LONG_WORDS + 1, False, True)],
)  # fmt: skip
def test_length_counts_words_not_signs(n_words: int, is_short: bool, is_long: bool) -> None:
    text = "don't ... " * n_words
    assert (holds("very_short", text), holds("long", text)) == (is_short, is_long)


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=80), max_size=5))
def test_any_texts_give_one_row_each_of_booleans_and_nothing_else(texts: list[str]) -> None:
    facts = compute_text_facts(texts)
    assert facts.shape == (len(texts), len(FACTS))
    assert list(facts) == list(FACTS)
    assert set(facts.dtypes) == {pd.Series(dtype=bool).dtype}
