"""Words are spans of the post, and pieces lose nothing when they merge."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.explain.aggregation import find_words, merge_pieces


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I can't sleep", ["I", "can't", "sleep"]),
        ("so-called 'friends'", ["so-called", "'", "friends", "'"]),
        ("why???  no...", ["why", "???", "no", "..."]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),  # an accent as a character of its own
        ("help 👩🏽‍🚒 now", ["help", "👩🏽‍🚒", "now"]),  # four code points joined into one picture
        ("I ❤️ it", ["I", "❤️", "it"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("line\nbreak\tand\u00a0space", ["line", "break", "and", "space"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_words_are_cut_where_a_reader_would(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in find_words(text)] == words


@given(st.text(max_size=60))
def test_spans_cover_everything_but_white_space_and_do_not_overlap(text: str) -> None:
    spans = find_words(text)
    flat = [i for start, end in spans for i in range(start, end)]
    assert flat == sorted(set(flat))
    assert not any(text[i].isspace() for i in flat)
    left_out = [c for i, c in enumerate(text) if i not in set(flat) and not c.isspace()]
    # only accents and joiners without a letter to stand on (after white space) belong to no word
    assert all(unicodedata.category(c) in {"Mn", "Me", "Mc", "Cf"} for c in left_out)


@given(st.text(min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_merging_conserves_the_sum(text: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cuts = np.unique(np.concatenate([[0, len(text)], rng.integers(0, len(text) + 1, 5)]))
    offsets = np.column_stack([cuts[:-1], cuts[1:]])
    weights = rng.normal(size=len(offsets))
    merged = merge_pieces(text, offsets, weights)
    if find_words(text):
        assert sum(word.weight for word in merged) == pytest.approx(weights.sum(), abs=1e-12)
    else:
        assert merged == []


def test_opposite_pieces_of_one_word_cancel_and_signs_stay() -> None:
    merged = merge_pieces("sleepless night", [(0, 5), (5, 9), (10, 15)], [1.0, -0.75, -2.0])
    assert [word.weight for word in merged] == [0.25, -2.0]


def test_a_piece_of_white_space_counts_for_the_next_word() -> None:
    merged = merge_pieces("a\n\nb", [(0, 1), (1, 1), (3, 3), (3, 4)], [1.0, 0.5, 0.25, 2.0])
    assert [tuple(word) for word in merged] == [(0, 1, 1.0), (3, 4, 2.75)]


def test_words_after_the_cut_of_a_long_post_have_no_weight() -> None:
    assert [word.end for word in merge_pieces("one two three", [(0, 3)], [1.0])] == [3]


def test_words_that_one_piece_covers_are_one() -> None:
    text = "so tired😭 and now 💔 gone..."
    offsets = [(0, 2), (3, 9), (10, 13), (14, 17), (18, 19), (20, 22), (22, 26), (26, 27)]  # an unknown word, "ne..."
    merged = merge_pieces(text, offsets, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
    found = [(text[word.start : word.end], word.weight) for word in merged]
    assert found == [("so", 1), ("tired😭", 2), ("and", 4), ("now", 8), ("💔", 16), ("gone...", 224)]


def test_pieces_that_begin_with_white_space_join_nothing() -> None:
    merged = merge_pieces("a b c", [(0, 1), (1, 3), (3, 5)], [1.0, 2.0, 4.0])
    assert [tuple(word) for word in merged] == [(0, 1, 1.0), (2, 3, 2.0), (4, 5, 4.0)]
