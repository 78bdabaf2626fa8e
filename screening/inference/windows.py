"""Posts as token windows: a post longer than the encoder reads at once becomes several, and one again afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from screening.config import LongPosts

T = TypeVar("T")

OVERLAP_SHARE = 8  # neighbouring windows share an eighth of their tokens, so that few sentences are torn apart


@dataclass(frozen=True)
class PostWindows:
    """The windows of ``n_posts`` posts, post by post and in reading order.

    Attributes
    ----------
    token_ids : list of list of int, length n_windows
        Special tokens included, at most ``max_tokens`` per window, not padded.
    post : ndarray of int64, shape (n_windows,)
        Index of the post a window belongs to, ascending; every post has at least one window.
    weights : ndarray of float64, shape (n_windows,)
        Share of the window in its post's mean: its tokens over those of all windows of the post. Sums to 1 per post.
    n_tokens : ndarray of int64, shape (n_posts,)
        Tokens of the whole post, special tokens included, before any cutting.
    """

    token_ids: list[list[int]]
    post: NDArray[np.int64]
    weights: NDArray[np.float64]
    n_tokens: NDArray[np.int64]

    @property
    def n_windows(self) -> NDArray[np.int64]:
        """Windows per post, shape (n_posts,)."""
        return np.bincount(self.post, minlength=len(self.n_tokens)).astype(np.int64)

    def average(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average values of windows to values of posts.

        Parameters
        ----------
        values : ndarray of float32, shape (n_windows,) or (n_windows, n_columns)

        Returns
        -------
        ndarray of float32, shape (n_posts,) or (n_posts, n_columns)
            Exactly the window's own values for a post of one window.
        """
        weights = self.weights.reshape(-1, *[1] * (values.ndim - 1))
        totals = np.zeros((len(self.n_tokens), *values.shape[1:]))
        np.add.at(totals, self.post, weights * values)
        return totals.astype(np.float32)


def split_into_windows(
    tokenizer: Any, texts: Sequence[str], max_tokens: int, long_posts: LongPosts = "windows"
) -> PostWindows:
    """Tokenise posts and split those longer than the window.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerFast
    texts : sequence of str, length n_posts
    max_tokens : int
        Length of a window, special tokens included.
    long_posts : {"windows", "cut"}
        ``cut`` keeps the first window alone.

    Returns
    -------
    PostWindows

    Notes
    -----
    Special tokens written in a post are unknown words.

    Logits averaged over windows, weighted by tokens, separated r/SuicideWatch better than the first window alone on the
    validation posts of ``reddit2013`` (docs/decisions/0015). A short passage of a very long post counts for little.
    """
    around = count_special_tokens(tokenizer)
    whole, n_tokens = _tokenize_whole(tokenizer, texts, around)
    per_post = [_cut(ids, max_tokens, around, long_posts) if len(ids) > max_tokens else [ids] for ids in whole]
    post = np.repeat(np.arange(len(per_post)), np.array([len(windows) for windows in per_post], dtype=np.int64))
    token_ids = [ids for windows in per_post for ids in windows]
    sizes = np.array([max(1, len(ids)) for ids in token_ids], dtype=np.float64)  # 1: a text of no token has a mean too
    return PostWindows(token_ids, post, sizes / np.bincount(post, sizes)[post], n_tokens)


def locate_tokens(
    tokenizer: Any, text: str, max_tokens: int, long_posts: LongPosts = "windows"
) -> list[list[tuple[int, int]]]:
    """Find the characters ``[start, end)`` behind every token of every window of one post.

    Returns
    -------
    list of list of (int, int)
        As :func:`split_into_windows` orders windows and tokens; special tokens get ``(0, 0)``.
    """
    offsets = tokenizer(text, return_offsets_mapping=True, return_attention_mask=False, verbose=False)["offset_mapping"]
    spans = [(int(start), int(end)) for start, end in offsets]
    if len(spans) <= max_tokens:
        return [spans]
    return _cut(spans, max_tokens, count_special_tokens(tokenizer), long_posts)


def tokenize(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> tuple[list[list[int]], NDArray[np.int64]]:
    """Token ids cut to one window, without padding, and the token counts before cutting.

    Returns
    -------
    token_ids : list of list of int
        At most ``max_tokens`` per post, special tokens included.
    n_tokens : ndarray of int64, shape (n_posts,)
    """
    windows = split_into_windows(tokenizer, texts, max_tokens, "cut")
    return windows.token_ids, windows.n_tokens


def _tokenize_whole(
    tokenizer: Any, texts: Sequence[str], around: tuple[int, int]
) -> tuple[list[list[int]], NDArray[np.int64]]:
    """Tokenise posts, and take special tokens that somebody wrote into one (``[SEP]``, ``<mask>``) for unknown words.

    Posts are hostile input: as special tokens they would end a post early or blank words of it. Tokenizers of the
    Unigram kind cannot be told to read them letter by letter.
    """
    if len(texts) == 0:
        return [], np.zeros(0, dtype=np.int64)
    # verbose=False: a post longer than the encoder's window is split below, not worth a warning per run
    token_ids = list(tokenizer(list(texts), return_attention_mask=False, verbose=False)["input_ids"])
    unknown = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.pad_token_id
    special = set(tokenizer.all_special_ids) - {unknown}
    n_before, n_after = around
    for i, ids in enumerate(token_ids):
        written = ids[n_before : len(ids) - n_after]
        if not special.isdisjoint(written):
            inside = [unknown if token in special else token for token in written]
            token_ids[i] = [*ids[:n_before], *inside, *ids[len(ids) - n_after :]]
    return token_ids, np.array([len(ids) for ids in token_ids], dtype=np.int64)


def count_special_tokens(tokenizer: Any) -> tuple[int, int]:
    """Count the special tokens a tokenizer puts before and after every post."""
    is_special = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    n_before = next((i for i, special in enumerate(is_special) if not special), 0)
    return n_before, int(tokenizer.num_special_tokens_to_add()) - n_before


def _cut(tokens: list[T], max_tokens: int, around: tuple[int, int], long_posts: LongPosts) -> list[list[T]]:
    """Cut what belongs to the tokens of one long post into windows, each between the special tokens of the whole.

    Done here and not by the tokenizer, which would be told where to cut by changing its state: threads share it.
    """
    n_before, n_after = around
    before, after = tokens[:n_before], tokens[len(tokens) - n_after :]
    content = tokens[n_before : len(tokens) - n_after]
    size = max_tokens - n_before - n_after
    step = size - max_tokens // OVERLAP_SHARE
    n_windows = 1 if long_posts == "cut" else 1 + -(-(len(content) - size) // step)
    return [before + content[i * step : i * step + size] + after for i in range(n_windows)]
