"""For a linear score, each word alone takes away exactly its weight: the order is that of the weights."""

import math
from typing import Any

import numpy as np
import pytest

from screening.explain.aggregation import WordWeight
from screening.explain.attribution import attribute_tokens
from screening.explain.explanations import weigh_words
from screening.explain.leave_one_out import compute_leave_one_out
from screening.explain.masking import MaskedScorer

TEXTS = ["i feel so tired today my dog is happy no", "so tired today", "tired", ""]


@pytest.fixture
def explained(mean_of_words: Any, bert_tokenizer: Any) -> tuple[MaskedScorer, list[list[WordWeight]]]:
    def score(output: Any) -> Any:
        return output.logits[:, 0]

    found = attribute_tokens(mean_of_words, bert_tokenizer, TEXTS, score, max_tokens=60)
    words = [weigh_words(bert_tokenizer, text, post, 60) for text, post in zip(TEXTS, found, strict=True)]
    return MaskedScorer(mean_of_words, bert_tokenizer, score, max_tokens=60), words


def test_exact_weights_have_the_order_of_the_falls_and_reversed_ones_the_opposite(
    explained: tuple[MaskedScorer, list[list[WordWeight]]],
) -> None:
    scorer, words = explained
    reverse = [[word._replace(weight=-word.weight) for word in post] for post in words]
    for weighed, expected in ((words, 1), (reverse, -1)):
        table = compute_leave_one_out(scorer, TEXTS, weighed, rng=np.random.default_rng(0))
        np.testing.assert_allclose(table["rank_correlation"][:2], expected)
    assert table["n_masked"].tolist() == [10, 3, 1, 0]


def test_a_post_of_one_word_or_none_has_no_order(explained: tuple[MaskedScorer, list[list[WordWeight]]]) -> None:
    scorer, words = explained
    table = compute_leave_one_out(scorer, TEXTS, words, rng=np.random.default_rng(0))
    assert all(math.isnan(value) for value in table["rank_correlation"][2:])


def test_of_a_longer_post_only_so_many_words_are_masked_and_the_generator_decides_which(
    explained: tuple[MaskedScorer, list[list[WordWeight]]],
) -> None:
    scorer, words = explained
    noise = np.random.default_rng(5)
    shuffled = [[word._replace(weight=float(noise.normal())) for word in post] for post in words]
    tables = [
        compute_leave_one_out(scorer, TEXTS, shuffled, rng=np.random.default_rng(seed), max_words=4)
        for seed in (0, 0, 1)
    ]
    assert tables[0]["n_masked"].tolist() == [4, 3, 1, 0]
    assert tables[0]["n_words"].tolist() == [10, 3, 1, 0]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
