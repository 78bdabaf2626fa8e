"""A masked post keeps its length in tokens, and so its windows and everything that was not masked."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from screening.explain.aggregation import WordWeight, find_words
from screening.explain.masking import MaskedPost, MaskedScorer
from screening.inference.windows import split_into_windows

TEXTS = [
    "can't sleep, happiest lanternfish... 😀 naïve!",
    "my dog is happy " * 12,
    "unhappiest " * 9 + "dog",
]


def read_words(text: str) -> list[WordWeight]:
    return [WordWeight(start, end, 0.0) for start, end in find_words(text)]


@pytest.fixture
def scorer(mean_of_words: Any, bert_tokenizer: Any) -> MaskedScorer:
    return MaskedScorer(mean_of_words, bert_tokenizer, lambda output: output.logits[:, 0], max_tokens=16)


@pytest.mark.parametrize("text", TEXTS)
def test_masking_any_words_keeps_every_other_token_where_it_was(scorer: MaskedScorer, text: str) -> None:
    words = read_words(text)
    counts = scorer.count_pieces(text, words)
    rng = np.random.default_rng(0)
    for n in (1, len(words) // 2, len(words)):
        rows = np.sort(rng.permutation(len(words))[:n])
        masked = scorer.mask_words(text, [words[i] for i in rows], counts[rows].tolist())
        before, after = (split_into_windows(scorer.tokenizer, [version], 16) for version in (text, masked))
        assert [len(ids) for ids in after.token_ids] == [len(ids) for ids in before.token_ids]
        pairs = zip(np.concatenate(before.token_ids), np.concatenate(after.token_ids), strict=True)
        assert all(new in (old, scorer.tokenizer.mask_token_id) for old, new in pairs)


def test_pieces_are_counted_per_word(scorer: MaskedScorer) -> None:
    text = "so happiest"
    expected = [len(scorer.tokenizer.tokenize(word)) for word in text.split()]
    assert scorer.count_pieces(text, read_words(text)).tolist() == expected


def test_words_behind_those_given_are_nobodys(scorer: MaskedScorer) -> None:
    assert scorer.count_pieces("so tired happiest happiest", read_words("so tired")).tolist() == [1, 1]


def test_masking_replaces_exactly_the_words(bert_tokenizer: Any) -> None:
    scorer = MaskedScorer(None, bert_tokenizer, lambda _: None, max_tokens=16)  # type: ignore[arg-type, return-value]  # nothing is scored
    words = [WordWeight(0, 1, 0.0), WordWeight(5, 9, 0.0)]
    assert scorer.mask_words("😀 so tire...", words, [1, 2]) == "[MASK] so [MASK][MASK]..."


def test_a_version_that_comes_twice_gets_the_same_score_both_times(scorer: MaskedScorer) -> None:
    scores = scorer.compute_scores([MaskedPost(text) for text in ("so tired", "my dog", "so tired")])
    assert scores[0] == scores[2] != scores[1]


def test_a_long_post_is_scored_over_all_its_windows_or_its_first(mean_of_words: Any, bert_tokenizer: Any) -> None:
    def build(long_posts: Any) -> MaskedScorer:
        return MaskedScorer(mean_of_words, bert_tokenizer, lambda output: output.logits[:, 0], 16, long_posts)

    texts = [MaskedPost("my dog " * 6 + end) for end in ("", "tired " * 20)]
    cut, windows = build("cut").compute_scores(texts), build("windows").compute_scores(texts)
    assert cut[0] == pytest.approx(windows[0], abs=1e-6)
    assert abs(cut[1] - windows[1]) > 0.01  # the end of the post is read


def test_a_tokenizer_without_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="mask token"):
        MaskedScorer(None, SimpleNamespace(mask_token=None), lambda _: None, max_tokens=16)  # type: ignore[arg-type, return-value]  # refused before
