"""A masked post keeps its tokens' places, and so its windows and everything that was not masked."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from screening.explain import masking
from screening.explain.aggregation import find_words
from screening.explain.masking import MaskedScorer
from screening.inference.forward import run_windows
from screening.inference.windows import split_into_windows

TEXTS = [
    "can't sleep, happiest lanternfish... 😀 naïve!",
    "my dog is happy " * 12,
    "unhappiest " * 9 + "dog",
]


@pytest.fixture
def scorer(mean_of_words: Any, bert_tokenizer: Any) -> MaskedScorer:
    return MaskedScorer(mean_of_words, bert_tokenizer, lambda output: output.logits[:, 0], max_tokens=16)


def _read(scorer: MaskedScorer, window: tuple[int, ...]) -> str:
    return " ".join(scorer.tokenizer.convert_ids_to_tokens(list(window))[1:-1])


@pytest.mark.parametrize("text", TEXTS)
def test_masking_any_words_changes_their_pieces_and_no_other_token(scorer: MaskedScorer, text: str) -> None:
    words = find_words(text)
    before = split_into_windows(scorer.tokenizer, [text], 16)
    rng = np.random.default_rng(0)
    for n in (1, len(words) // 2, len(words)):
        rows = np.sort(rng.permutation(len(words))[:n])
        whole, masked = scorer.list_versions(text, words, [rows])
        assert [list(window) for window in whole.windows] == before.token_ids
        assert masked.shares == whole.shares
        pairs = list(zip(np.concatenate(whole.windows), np.concatenate(masked.windows), strict=True))
        assert all(new in (old, scorer.tokenizer.mask_token_id) for old, new in pairs)
        assert masked.windows != whole.windows


def test_every_piece_of_a_word_is_masked(scorer: MaskedScorer) -> None:
    text = "so happiest dog"
    _, masked = scorer.list_versions(text, find_words(text), [np.array([1])])
    n_pieces = len(scorer.tokenizer.tokenize("happiest"))
    assert n_pieces > 1
    assert _read(scorer, masked.windows[0]) == " ".join(["so", *n_pieces * ["[MASK]"], "dog"])


def test_tokens_behind_the_last_span_are_nobodys(scorer: MaskedScorer) -> None:
    text, spans = "so tired happiest dog", [(0, 2), (3, 8)]
    _, masked = scorer.list_versions(text, spans, [np.array([0, 1])])
    assert _read(scorer, masked.windows[0]).startswith("[MASK] [MASK] ")
    assert "[MASK]" not in _read(scorer, masked.windows[0])[len("[MASK] [MASK] ") :]
    (owners,) = scorer.assign_tokens(text, spans)
    assert owners[0] == owners[-1] == -1  # special tokens
    assert owners[1:3].tolist() == [0, 1]
    assert set(owners[3:-1].tolist()) == {2}


def test_a_mask_token_written_in_a_post_is_a_word_that_can_be_masked(scorer: MaskedScorer) -> None:
    text = "so [MASK] dog"
    whole, masked = scorer.list_versions(text, [(0, 2), (3, 9), (10, 13)], [np.array([1])])
    assert _read(scorer, whole.windows[0]) == "so [UNK] dog"
    assert _read(scorer, masked.windows[0]) == "so [MASK] dog"


def test_a_window_that_comes_twice_is_run_once_and_scored_the_same(
    scorer: MaskedScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def run_counted(engine: Any, token_ids: Any, *rest: Any) -> Any:
        counts.append(len(token_ids))
        return run_windows(engine, token_ids, *rest)

    monkeypatch.setattr(masking, "run_windows", run_counted)
    versions = [scorer.list_versions(text, [], [])[0] for text in ("so tired", "my dog", "so tired")]
    scores = scorer.compute_scores(versions)
    assert counts == [2]
    assert scores[0] == scores[2] != scores[1]


def test_a_long_post_is_scored_over_all_its_windows_or_its_first(mean_of_words: Any, bert_tokenizer: Any) -> None:
    def score(long_posts: Any) -> Any:
        scorer = MaskedScorer(mean_of_words, bert_tokenizer, lambda output: output.logits[:, 0], 16, long_posts)
        texts = ["my dog " * 6 + end for end in ("", "tired " * 20)]
        return scorer.compute_scores([scorer.list_versions(text, [], [])[0] for text in texts])

    cut, windows = score("cut"), score("windows")
    assert cut[0] == pytest.approx(windows[0], abs=1e-6)
    assert abs(cut[1] - windows[1]) > 0.01  # the end of the post is read


def test_a_tokenizer_without_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="mask token"):
        MaskedScorer(None, SimpleNamespace(mask_token=None), lambda _: None, max_tokens=16)  # type: ignore[arg-type, return-value]  # refused before
