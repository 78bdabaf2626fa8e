"""Batches of posts of similar length, filled up to a token budget."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_FILLED = 7 / 8  # of a row: shorter posts start a batch of their own, so that little is computed on padding


def round_up(length: int, multiple: int) -> int:
    """Smallest multiple of ``multiple`` that is not below ``length``.

    Examples
    --------
    >>> round_up(17, 8)
    24
    """
    return -(-length // multiple) * multiple


def plan_batches(lengths: ArrayLike, max_tokens_per_batch: int, multiple: int = 8) -> list[NDArray[np.int64]]:
    """Group posts of like length into batches whose padded size stays within a token budget.

    The longest posts come first, so that a batch too large for the memory fails at the start and not at the end.

    Parameters
    ----------
    lengths : array_like of int, shape (n_posts,)
        Tokens per post, after cutting.
    max_tokens_per_batch : int
        Largest number of tokens of one batch, padding included. A post longer than that gets a batch of its own.
    multiple : int
        Batches are padded to a multiple of this many tokens; few distinct shapes let kernels be reused.

    Returns
    -------
    list of ndarray of int
        Post indices per batch; each post appears exactly once. Empty for no posts.

    Raises
    ------
    ValueError
        If the budget or the multiple is below 1.

    Examples
    --------
    >>> [batch.tolist() for batch in plan_batches([3, 20, 8, 5], max_tokens_per_batch=64)]
    [[1], [2, 3, 0]]
    """
    if max_tokens_per_batch < 1 or multiple < 1:
        message = f"max_tokens_per_batch and multiple must be at least 1, found {max_tokens_per_batch} and {multiple}"
        raise ValueError(message)
    lengths = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")  # stable: ties keep input order, so that plans are reproducible
    widths = -(-np.maximum(lengths[order], 1) // multiple) * multiple
    batches = []
    start = 0
    while start < len(order):
        n_alike = int(np.searchsorted(-widths, -MIN_FILLED * widths[start], side="right")) - start
        stop = start + min(n_alike, max(1, max_tokens_per_batch // int(widths[start])))
        batches.append(order[start:stop])
        start = stop
    return batches
