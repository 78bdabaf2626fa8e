"""From word pieces to words: character spans whose text is exactly the word."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

JOINERS = frozenset("'\u2019-")  # straight and curly apostrophe, hyphen: part of a word between letters


class WordWeight(NamedTuple):
    """A word of a post, as characters ``[start, end)``, and its signed share of the score."""

    start: int
    end: int
    weight: float

    @property
    def span(self) -> tuple[int, int]:
        """Its characters ``[start, end)``."""
        return self.start, self.end


def find_words(text: str) -> list[tuple[int, int]]:
    """Split a post into words and runs of symbols.

    Works on the post itself and not on a tokenizer's view of it, so that a span never cuts through an accented letter
    or a joined emoji.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of (int, int)
        Character offsets ``[start, end)`` in reading order; white space belongs to no word.

    Examples
    --------
    >>> text = "can't sleep... 👩🏽‍🚒!"
    >>> [text[start:end] for start, end in find_words(text)]
    ["can't", 'sleep', '...', '👩🏽‍🚒!']
    """
    kinds = _classify_characters(text)
    starts = [i for i, kind in enumerate(kinds) if kind != "space" and (i == 0 or kinds[i - 1] != kind)]
    ends = [i + 1 for i, kind in enumerate(kinds) if kind != "space" and (i + 1 == len(kinds) or kinds[i + 1] != kind)]
    return list(zip(starts, ends, strict=True))


def merge_pieces(text: str, offsets: ArrayLike, weights: ArrayLike) -> list[WordWeight]:
    """Sum the weights of word pieces over the words they belong to.

    Parameters
    ----------
    text : str
        The post.
    offsets : array_like of int, shape (n_pieces, 2)
        The tokenizer's character offsets; special tokens left out.
    weights : array_like of float, shape (n_pieces,)

    Returns
    -------
    list of WordWeight
        In reading order, only words with pieces (of a cut post, those before the cut). The weights sum to those of the
        pieces. Words that one piece covers together, as an unknown word with an emoji behind it, are one: nothing says
        which of them the piece's weight belongs to. Empty if there are no pieces or no words.

    Examples
    --------
    >>> merge_pieces("so tired", [(0, 2), (3, 6), (6, 8)], [0.25, 0.5, -0.25])
    [WordWeight(start=0, end=2, weight=0.25), WordWeight(start=3, end=8, weight=0.25)]
    """
    spans = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    words = _join_words(find_words(text), spans)
    if not words or len(spans) == 0:
        return []
    owner = _assign_pieces(spans, words)
    totals = np.bincount(owner, weights=np.asarray(weights, dtype=np.float64), minlength=len(words))
    return [WordWeight(start=words[i][0], end=words[i][1], weight=float(totals[i])) for i in np.unique(owner)]


def _join_words(words: list[tuple[int, int]], spans: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Join neighbouring words that a piece covers together."""
    starts, ends = (np.array(side, dtype=np.int64) for side in (zip(*words, strict=True) if words else ((), ())))
    first = np.searchsorted(ends, spans[:, 0], side="right")
    last = np.searchsorted(starts, spans[:, 1], side="left") - 1
    is_joined = np.zeros(len(words) + 1, dtype=bool)  # whether a word belongs to the one before
    for i in np.flatnonzero(first < last):
        is_joined[first[i] + 1 : last[i] + 1] = True
    joined: list[tuple[int, int]] = []
    for (start, end), belongs in zip(words, is_joined, strict=False):
        if belongs:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _assign_pieces(spans: NDArray[np.int64], words: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Index of the first word that ends after a piece starts; the last word for pieces of trailing space."""
    ends = np.array([end for _, end in words])
    return np.minimum(np.searchsorted(ends, spans[:, 0], side="right"), len(words) - 1)


def _classify_characters(text: str) -> list[str]:
    """``word``, ``symbol`` or ``space`` per character; combining marks and joiners follow the character they modify."""
    kinds: list[str] = []
    for character in text:
        kind = _classify(character)
        kinds.append((kinds[-1] if kinds else "symbol") if kind == "modifier" else kind)
    for i, (before, after) in enumerate(zip(kinds, kinds[2:], strict=False), start=1):
        if text[i] in JOINERS and before == after == "word":
            kinds[i] = "word"
    return _close_joined_emoji(text, kinds)


def _close_joined_emoji(text: str, kinds: list[str]) -> list[str]:
    """Whatever a zero-width joiner ties together is one word."""
    for i, (character, following) in enumerate(pairwise(text)):
        if character == "\u200d" and kinds[i] != "space" and not following.isspace():
            kinds[i + 1] = kinds[i]
    return kinds


def _classify(character: str) -> str:
    if character.isspace():
        return "space"
    category = unicodedata.category(character)
    if category in {"Mn", "Me", "Mc", "Cf"}:  # accents, variation selectors, zero-width joiners
        return "modifier"
    return "word" if category[0] in "LN" or character == "_" else "symbol"
