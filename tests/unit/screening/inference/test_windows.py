"""Windows cover a post from its first character to its last, and average back to one post."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening.inference.windows import PostWindows, count_special_tokens, locate_tokens, split_into_windows, tokenize

TEXTS = ["so tired today", "", "i feel so tired " * 40, "my dog is happy " * 60]


@pytest.fixture(params=["bert", "roberta"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_tokenizer")


def test_every_window_fits_and_weights_sum_to_one_per_post(tokenizer: Any) -> None:
    windows = split_into_windows(tokenizer, TEXTS, 60)
    assert max(len(ids) for ids in windows.token_ids) <= 60
    assert windows.n_windows[:2].tolist() == [1, 1]
    assert (windows.n_windows[2:] > 2).all()
    np.testing.assert_allclose(np.bincount(windows.post, windows.weights), 1.0, rtol=1e-12)


@pytest.mark.parametrize("kind", ["bert", "roberta", "unigram"])
def test_special_tokens_written_in_a_post_are_unknown_words(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer = request.getfixturevalue(f"{kind}_tokenizer")
    plain, hostile = "so tired", " ".join(["so", *tokenizer.all_special_tokens, "tired"])
    ids = split_into_windows(tokenizer, [plain, hostile], 60).token_ids
    n_before, n_after = count_special_tokens(tokenizer)
    inside = ids[1][n_before : len(ids[1]) - n_after]
    assert set(inside) & set(tokenizer.all_special_ids) == {tokenizer.unk_token_id}
    assert (ids[1][:n_before], ids[1][-n_after:]) == (ids[0][:n_before], ids[0][-n_after:])
    located = locate_tokens(tokenizer, hostile, 60)
    assert [len(window) for window in located] == [len(ids[1])]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(words=st.lists(st.sampled_from(["so", "tired", "today", "👩🏽‍🚒", "no", "שלום"]), min_size=1, max_size=120))
def test_windows_cover_every_word(tokenizer: Any, words: list[str]) -> None:
    text = " ".join(words)
    spans = [span for window in locate_tokens(tokenizer, text, 16) for span in window if span[1] > span[0]]
    covered = {i for start, end in spans for i in range(start, end)}
    whole = tokenizer(text, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    assert covered == {i for start, end in whole for i in range(start, end)}


def test_offsets_stand_beside_the_tokens_of_each_window(tokenizer: Any) -> None:
    for text in TEXTS:
        windows = split_into_windows(tokenizer, [text], 60)
        offsets = locate_tokens(tokenizer, text, 60)
        assert [len(window) for window in offsets] == [len(ids) for ids in windows.token_ids]


@pytest.mark.parametrize("max_tokens", [16, 60])
def test_windows_are_those_the_tokenizer_itself_would_cut(tokenizer: Any, max_tokens: int) -> None:
    cut = {"truncation": True, "max_length": max_tokens, "stride": max_tokens // 8, "return_overflowing_tokens": True}
    for n_words in (max_tokens - 2, max_tokens - 1, max_tokens, 3 * max_tokens, 171):
        text = " ".join(["so", "tired", "today"] * n_words)[: 4 * n_words]
        expected = tokenizer(text, return_offsets_mapping=True, **cut)
        assert split_into_windows(tokenizer, [text], max_tokens).token_ids == expected["input_ids"]
        assert locate_tokens(tokenizer, text, max_tokens) == expected["offset_mapping"]


def test_threads_that_share_a_tokenizer_do_not_cut_each_others_posts(bert_tokenizer: Any) -> None:
    texts = {"windows": "i feel so tired " * 100, "cut": "my dog is happy " * 90}
    alone = {kind: split_into_windows(bert_tokenizer, [text], 60, kind).token_ids for kind, text in texts.items()}
    with ThreadPoolExecutor(4) as pool:
        asked = ["windows", "cut"] * 300
        found = pool.map(lambda kind: split_into_windows(bert_tokenizer, [texts[kind]], 60, kind).token_ids, asked)
        assert all(windows == alone[kind] for kind, windows in zip(asked, found, strict=True))


def test_neighbouring_windows_share_an_eighth(bert_tokenizer: Any) -> None:
    offsets = locate_tokens(bert_tokenizer, " ".join(["i"] * 200), 64)
    first, second = ([span for span in window if span[1] > span[0]] for window in offsets[:2])
    assert len(set(first) & set(second)) == 8


def test_cutting_keeps_the_first_window_with_its_closing_token(bert_tokenizer: Any) -> None:
    token_ids, n_tokens = tokenize(bert_tokenizer, ["i feel so tired " * 40, "i feel"], 60)
    assert n_tokens.tolist() == [162, 4]
    assert len(token_ids[0]) == 60
    assert token_ids[0][-1] == bert_tokenizer.sep_token_id
    assert token_ids[0] == split_into_windows(bert_tokenizer, ["i feel so tired " * 40], 60).token_ids[0]
    assert len(locate_tokens(bert_tokenizer, "i feel so tired " * 40, 60, "cut")) == 1


def test_the_mean_of_one_window_is_exactly_its_value() -> None:
    windows = PostWindows([[1], [2], [3]], np.array([0, 1, 1]), np.array([1.0, 0.25, 0.75]), np.array([1, 2]))
    values = np.array([[0.1], [1.0], [3.0]], dtype=np.float32)
    assert windows.average(values).tolist() == [[np.float32(0.1)], [2.5]]
    assert windows.average(values[:, 0]).shape == (2,)


def test_no_texts_give_no_windows(tokenizer: Any) -> None:
    windows = split_into_windows(tokenizer, [], 60)
    assert windows.token_ids == []
    assert windows.average(np.zeros((0, 5), dtype=np.float32)).shape == (0, 5)
