"""Ids met so far, in eight bytes each."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


class SeenIds:
    """Remembers ids as 64-bit digests: 80 MB for ten million.

    Notes
    -----
    Two different ids share a digest with probability n² / 2⁶⁵: below 3 in a million for some pair among ten million
    ids. The later one is then taken for a repeat.

    Examples
    --------
    >>> seen = SeenIds()
    >>> seen.mark_repeats(["a", "b", "a"]).tolist()
    [False, False, True]
    >>> seen.mark_repeats(["c", "b"]).tolist()
    [False, True]
    """

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []  # sorted, each longer than the next: few, whatever their number

    def mark_repeats(self, post_ids: Sequence[str]) -> NDArray[np.bool_]:
        """Mark the ids met before, in this call or an earlier one, and remember the others."""
        digests = b"".join(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in post_ids)
        codes = np.frombuffer(digests, dtype=np.uint64)
        is_repeat = np.ones(len(codes), dtype=bool)
        is_repeat[np.unique(codes, return_index=True)[1]] = False
        for run in self._runs:
            nearest = np.minimum(np.searchsorted(run, codes), len(run) - 1)
            is_repeat |= run[nearest] == codes
        self._add(np.sort(codes[~is_repeat]))
        return is_repeat

    def _add(self, run: NDArray[np.uint64]) -> None:
        while self._runs and len(self._runs[-1]) <= len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        if len(run):
            self._runs.append(run)
