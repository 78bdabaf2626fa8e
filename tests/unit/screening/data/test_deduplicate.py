import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.data.deduplicate import find_exact_duplicates, find_near_duplicates, normalise_for_matching

LONG = " ".join(f"word{i}" for i in range(60))


def compute_shingle_set(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\w']+", normalise_for_matching(text))
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def find_near_duplicates_by_brute_force(texts: list[str], similarity: float) -> list[bool]:
    kept: list[set[tuple[str, ...]]] = []
    marks = []
    for text in texts:
        shingles = compute_shingle_set(text)
        marks.append(any(shingles and len(shingles & a) / len(shingles | a) >= similarity for a in kept))
        if not marks[-1]:
            kept.append(shingles)
    return marks


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=14).map(" ".join), max_size=12),
    st.sampled_from([0.3, 0.5, 0.8, 1.0]),
)
def test_near_duplicates_agree_with_brute_force(texts, similarity):
    assert find_near_duplicates(texts, similarity).tolist() == find_near_duplicates_by_brute_force(texts, similarity)


def test_near_duplicates_agree_with_brute_force_on_edited_texts():
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(60):
        words = LONG.split()
        for place in rng.integers(0, 60, size=rng.integers(0, 8)):
            words[place] = f"edit{rng.integers(9)}"
        texts.append(" ".join(words))
    marks = find_near_duplicates(texts, 0.6)
    assert marks.tolist() == find_near_duplicates_by_brute_force(texts, 0.6)
    assert 0 < marks.sum() < 59


def test_the_first_of_a_kind_is_kept():
    assert find_near_duplicates([LONG, LONG + " more", "something else altogether is said here"], 0.8).tolist() == [
        False,
        True,
        False,
    ]


def test_short_posts_are_only_compared_exactly():
    short = ["so very tired now", "So very tired now!"]
    assert not find_near_duplicates(short, 0.1).any()
    assert not find_exact_duplicates(short).any()  # punctuation counts


@pytest.mark.parametrize("copy", ["SO  tired\ntoday", "so tired today ", "\uff33o tired today"])
def test_exact_duplicates_ignore_case_white_space_and_width(copy):
    assert find_exact_duplicates(["So tired today", copy]).tolist() == [False, True]


def test_no_texts_give_no_marks():
    assert find_near_duplicates([], 0.8).shape == (0,)
    assert find_exact_duplicates([]).shape == (0,)
    assert find_near_duplicates(["", "a b", ""], 0.8).tolist() == [False] * 3
