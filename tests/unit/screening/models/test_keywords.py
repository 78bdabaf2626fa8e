import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.exceptions import ConfigError
from screening.models.keywords import KeywordList
from screening.taxonomy import load_taxonomy

WORDS = st.sampled_from(
    ["want", "to", "die", "Die", "can't", "cant", "can\u2019t", "go", "on", "self-harm", "self", "harm"]
)
POSTS = st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", "  ", "! "])), max_size=12).map(
    lambda pieces: "".join(word + gap for word, gap in pieces)
)
PHRASES = ("want to die", "can't go on", "self harm", "die")


@given(POSTS)
def test_counts_agree_with_one_regular_expression_per_phrase(post: str) -> None:
    patterns = [r"want\s+to\s+die", r"can['\u2019]?t\s+go\s+on", r"self[\s-]+harm", r"die"]
    expected = sum(re.search(rf"(?<!\w){pattern}(?!\w)", post, re.IGNORECASE) is not None for pattern in patterns)
    assert KeywordList(PHRASES).count([post]).tolist() == [expected]


@pytest.mark.parametrize(
    ("text", "n_found"),
    [("I WANT\nto   Die", 2), ("diet soldier", 0), ("want to. die", 1), ("(die)", 1), ("", 0), ("cann't go on", 0)],
)
def test_phrases_match_whole_words_over_white_space_but_not_over_other_signs(text: str, n_found: int) -> None:
    assert KeywordList(PHRASES).count([text]).tolist() == [n_found]


def test_the_score_of_one_phrase_is_where_the_rule_starts() -> None:
    phrases = KeywordList(PHRASES)
    scores = phrases.score(["nothing", "I want to die", "self harm"])
    assert scores.tolist() == [0.0, 0.5, 0.25]
    assert (scores >= phrases.any_phrase).tolist() == [False, True, True]


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=50), max_size=4))
def test_any_texts_can_be_searched(texts: list[str]) -> None:
    counts = KeywordList(PHRASES).count(texts)
    assert counts.shape == (len(texts),)
    assert ((counts >= 0) & (counts <= len(PHRASES))).all()


@pytest.mark.parametrize("phrases", [[], ["..."], ["die", "' '"]])
def test_lists_with_nothing_to_search_for_are_refused(phrases: list[str]) -> None:
    with pytest.raises(ConfigError, match="taxonomy's keywords"):
        KeywordList(phrases)


def test_phrases_that_read_alike_count_once() -> None:
    assert len(KeywordList(["can't go on", "Can\u2019t  go on", "cant go on"])) == 1


def test_every_shipped_phrase_finds_itself() -> None:
    for target in load_taxonomy("mh5").targets:
        phrases = KeywordList(target.keywords)
        assert len(phrases) == len(target.keywords)
        assert (phrases.count(list(target.keywords)) >= 1).all()
