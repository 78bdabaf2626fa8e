"""Exact and near duplicates: a post that repeats an earlier one is marked, whoever posted it."""

import hashlib
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

N_SHINGLE_WORDS = 5

_WORD = re.compile(r"[\w']+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def normalise_for_matching(text: str) -> str:
    """Fold compatibility forms, case and white space (NFKC, casefold), for comparison only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def compute_match_digest(text: str) -> str:
    """SHA-256 of the normalised text; equal for exact duplicates."""
    return hashlib.sha256(normalise_for_matching(text).encode("utf-8")).hexdigest()


def find_exact_duplicates(texts: Iterable[str]) -> NDArray[np.bool_]:
    """Mark every text that equals an earlier one after NFKC, case and white-space folding.

    Parameters
    ----------
    texts : iterable of str, length n
        In order of precedence: the first of its kind is never marked.

    Returns
    -------
    (n,) ndarray of bool

    Examples
    --------
    >>> find_exact_duplicates(["So tired.", "so  tired.", "not tired"]).tolist()
    [False, True, False]
    """
    seen: set[str] = set()
    marks = []
    for text in texts:
        digest = compute_match_digest(text)
        marks.append(digest in seen)
        seen.add(digest)
    return np.array(marks, dtype=bool)


def find_near_duplicates(texts: Sequence[str], similarity: float) -> NDArray[np.bool_]:
    """Mark every text whose word 5-grams overlap with those of an earlier unmarked text.

    Parameters
    ----------
    texts : sequence of str, length n
        In order of precedence. Texts under five words are never marked: use :func:`find_exact_duplicates`.
    similarity : float in (0, 1]
        Least Jaccard similarity (shared / all distinct) of the two sets of word 5-grams.

    Returns
    -------
    (n,) ndarray of bool
        No two unmarked texts reach ``similarity``.
    """
    return match_near_duplicates(texts, similarity) != np.arange(len(texts))


class Repeats(NamedTuple):
    """Marks of texts that repeat an earlier one: word for word, or nearly; none has both. Arrays of shape (n,)."""

    exact: NDArray[np.bool_]
    near: NDArray[np.bool_]


def find_repeats(texts: Sequence[str], similarity: float, met: Sequence[str] = ()) -> Repeats:
    """Mark every text that repeats one met before, or an earlier one of its own list.

    Parameters
    ----------
    texts : sequence of str, length n
        In order of precedence.
    similarity : float in (0, 1]
        As for :func:`find_near_duplicates`.
    met : sequence of str
        Texts that come before all of them, with no repeats among themselves.

    Examples
    --------
    >>> find_repeats(["So tired.", "not tired", "NOT tired"], 0.8, met=["so tired."]).exact.tolist()
    [True, False, True]
    """
    exact = find_exact_duplicates([*met, *texts])[len(met) :]
    near = np.zeros_like(exact)
    kept = [text for text, is_dropped in zip(texts, exact, strict=True) if not is_dropped]
    near[~exact] = find_near_duplicates([*met, *kept], similarity)[len(met) :]
    return Repeats(exact, near)


def match_near_duplicates(texts: Sequence[str], similarity: float) -> NDArray[np.intp]:
    """Find for every text the first earlier one it repeats, by word 5-grams as in :func:`find_near_duplicates`.

    Returns
    -------
    (n,) ndarray of int
        Index of the repeated text; a text that repeats none has its own.

    Notes
    -----
    Exact, not sampled: a prefix filter on 5-grams ordered from rare to frequent finds every candidate pair (two sets
    with Jaccard similarity t share a member among the first |A| - ceil(t |A|) + 1 of each), and each pair is verified.

    References
    ----------
    Bayardo, Ma, Srikant. Scaling up all pairs similarity search. WWW 2007. doi:10.1145/1242572.1242591
    """
    shingles = _compute_shingles(texts)
    matches = np.arange(len(texts))
    index: dict[int, list[int]] = defaultdict(list)
    for i, prefix in _iterate_prefixes(shingles, similarity):
        candidates = {j for shingle in prefix for j in index.get(shingle, ())}
        similar = [j for j in candidates if shingles.compute_similarity(i, j, similarity) >= similarity]
        if similar:
            matches[i] = min(similar)
        else:
            for shingle in prefix:
                index[shingle].append(i)
    return matches


class _Shingles(NamedTuple):
    """Sets of hashed word 5-grams, one after the other: text i owns ``values[bounds[i]:bounds[i + 1]]``, sorted."""

    values: NDArray[np.uint64]
    bounds: NDArray[np.int64]

    def compute_similarity(self, i: int, j: int, similarity: float) -> float:
        """Jaccard similarity of two texts, 0 where their sizes alone rule ``similarity`` out."""
        a, b = (self.values[self.bounds[k] : self.bounds[k + 1]] for k in (i, j))
        if min(len(a), len(b)) < similarity * max(len(a), len(b)):
            return 0.0
        n_shared = len(np.intersect1d(a, b, assume_unique=True))
        return float(n_shared / (len(a) + len(b) - n_shared))


def _compute_shingles(texts: Sequence[str]) -> _Shingles:
    words, n_words = _hash_words(texts)
    owners = np.repeat(np.arange(len(texts)), n_words)
    n_windows = max(0, len(words) - N_SHINGLE_WORDS + 1)
    values = np.zeros(n_windows, dtype=np.uint64)
    for k in range(N_SHINGLE_WORDS):
        values = (values + words[k : k + n_windows]) * _MULTIPLIER
        values ^= values >> np.uint64(29)
    inside = owners[:n_windows] == owners[N_SHINGLE_WORDS - 1 :][:n_windows]
    sizes = np.bincount(owners[:n_windows][inside], minlength=len(texts))
    sets = [np.unique(own) for own in np.split(values[inside], np.cumsum(sizes)[:-1])] if len(texts) else []
    bounds = np.cumsum([0, *(len(own) for own in sets)])
    return _Shingles(np.concatenate(sets) if sets else values, bounds)


def _hash_words(texts: Sequence[str]) -> tuple[NDArray[np.uint64], list[int]]:
    """Return hashes of the words of all texts and the number of words of each text.

    Python's own hash differs from process to process; only equality of words is used, so the marks do not.
    """
    hashes, n_words = [np.zeros(0, dtype=np.int64)], []
    for text in texts:
        words = _WORD.findall(normalise_for_matching(text))
        hashes.append(np.fromiter(map(hash, words), dtype=np.int64, count=len(words)))
        n_words.append(len(words))
    return np.concatenate(hashes).view(np.uint64), n_words


def _iterate_prefixes(shingles: _Shingles, similarity: float) -> Iterable[tuple[int, list[int]]]:
    """Yield text number and the rarest of its shingles that a similar text must share; unshared ones are left out."""
    _, inverse, counts = np.unique(shingles.values, return_inverse=True, return_counts=True)
    frequencies = counts[inverse]
    has_shared = np.flatnonzero(np.add.reduceat(np.append(frequencies > 1, False), shingles.bounds[:-1]))
    for i in has_shared:
        start, stop = shingles.bounds[i], shingles.bounds[i + 1]
        n_shingles = int(stop - start)
        if n_shingles == 0:  # reduceat repeats the next text's first value for an empty slice
            continue
        n_prefix = n_shingles - math.ceil(similarity * n_shingles - 1e-9) + 1
        order = np.lexsort((shingles.values[start:stop], frequencies[start:stop]))[:n_prefix]
        shared = order[frequencies[start:stop][order] > 1]
        if len(shared):
            yield int(i), shingles.values[start:stop][shared].tolist()
