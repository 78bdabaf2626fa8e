"""The first stage of a cascade: hashed words and one linear score, cheap enough to look at every post of a stream.

It keeps no vocabulary: a word is its hash, so nobody's words are stored. A whole chunk of posts is hashed at once with
array operations, which is an order of magnitude faster than a loop over words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screening.exceptions import BundleError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

GATE_FILE = "gate.safetensors"
_BUCKET_BITS = 18
N_BUCKETS = 2**_BUCKET_BITS
INVERSE_REGULARISATION = 5.0  # that of the TF-IDF baseline

_BYTES_AT_A_TIME = 2**18  # the arrays made from so much text stay in a processor's cache
_POSTS_AT_A_TIME = 2**13  # a pair of post and bucket then fits into 32 bits, which sort faster than 64
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, so that its powers have inverses modulo 2**64
_MODULUS = 2**64
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SEPARATOR = b"\n"
_IS_WORD = np.array([byte >= 0x80 or chr(byte).isalnum() for byte in range(256)])


class HashedWords(NamedTuple):
    """Words of several posts, counted by post and bucket: one entry per pair, ordered by post, then bucket."""

    post: NDArray[np.int32]
    bucket: NDArray[np.int32]
    weight: NDArray[np.float64]


@dataclass(frozen=True)
class Gate:
    """A linear score of a post's words, higher meaning more like the posts of any risk target.

    Attributes
    ----------
    coefficients : ndarray of float64, shape (n_buckets,)
        Weight per bucket of hashed words.
    intercept : float
        Score of a post none of whose words was met in training.
    """

    coefficients: NDArray[np.float64]
    intercept: float

    @classmethod
    def fit(cls, texts: Sequence[str], is_risk: NDArray[np.bool_], seed: int) -> "Gate":
        """Fit a logistic regression on hashed words.

        Parameters
        ----------
        texts : sequence of str, length n_posts
        is_risk : ndarray of bool, shape (n_posts,)
            Whether a post belongs to any risk target; both kinds must occur.
        seed : int

        Raises
        ------
        ValueError
            If one kind is missing.
        """
        if len(texts) != len(is_risk) or not 0 < int(is_risk.sum()) < len(is_risk):
            message = f"expected posts of both kinds, found {int(is_risk.sum())} risk posts among {len(texts)}"
            raise ValueError(message)
        return cls._fit_features(build_features(texts), is_risk, seed)

    @classmethod
    def _fit_features(cls, features: "csr_matrix", is_risk: NDArray[np.bool_], seed: int) -> "Gate":
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=INVERSE_REGULARISATION, solver="liblinear", max_iter=1_000, random_state=seed)
        model.fit(features, is_risk)
        return cls(np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0]))

    @classmethod
    def score_held_out(
        cls, texts: Sequence[str], is_risk: NDArray[np.bool_], folds: NDArray[np.int64], seed: int
    ) -> NDArray[np.float64]:
        """Score every training post with a gate that was fitted without its fold.

        Parameters
        ----------
        texts, is_risk, seed
            See :meth:`fit`.
        folds : ndarray of int, shape (n_posts,)
            Posts of one author belong in one fold; posts of fold -1 are only learnt from.

        Returns
        -------
        ndarray of float64, shape (n_posts,)
            Log-odds; NaN for posts of fold -1.
        """
        features = build_features(texts)
        scores = np.full(len(is_risk), np.nan)
        for fold in np.unique(folds[folds >= 0]):
            is_held_out = folds == fold
            gate = cls._fit_features(features[~is_held_out], is_risk[~is_held_out], seed)
            scores[is_held_out] = features[is_held_out] @ gate.coefficients + gate.intercept
        return scores

    def compute_scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Compute log-odds, shape (n_posts,), in input order; a post's score depends on its text alone."""
        parts = [self._score(words, n_posts) for words, n_posts in _hash_in_parts(texts)]
        return np.concatenate([np.zeros(0), *parts])

    def _score(self, words: HashedWords, n_posts: int) -> NDArray[np.float64]:
        sums = np.bincount(words.post, weights=words.weight * self.coefficients[words.bucket], minlength=n_posts)
        norms = np.sqrt(np.bincount(words.post, weights=words.weight**2, minlength=n_posts))
        return sums / np.maximum(norms, 1.0) + self.intercept  # a weight is 1 or more: only an empty norm is below

    def save(self, folder: Path) -> None:
        """Write ``gate.safetensors`` into a folder that exists."""
        from safetensors.numpy import save_file

        tensors = {"coefficients": self.coefficients, "intercept": np.array([self.intercept])}
        save_file(tensors, folder / GATE_FILE)

    @classmethod
    def load(cls, folder: Path) -> "Gate":
        """Read a gate that :meth:`save` wrote.

        Raises
        ------
        BundleError
            If the file is missing or of another format.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(folder / GATE_FILE)
            gate = cls(tensors["coefficients"], float(tensors["intercept"][0]))
        except (OSError, KeyError, IndexError, SafetensorError) as error:
            message = f"{folder} holds no whole first stage ({GATE_FILE}); calibrate the run again"
            raise BundleError(message) from error
        if gate.coefficients.shape != (N_BUCKETS,):
            message = f"{folder / GATE_FILE}: expected {N_BUCKETS} weights, found {gate.coefficients.shape}"
            raise BundleError(message)
        return gate


def build_features(texts: Sequence[str]) -> "csr_matrix":
    """Build the features a gate is fitted on: rows of length 1, shape (n_posts, n_buckets)."""
    from scipy.sparse import csr_matrix, vstack

    rows = []
    for words, n_posts in _hash_in_parts(texts):
        norms = np.sqrt(np.bincount(words.post, weights=words.weight**2, minlength=n_posts))
        values = words.weight / norms[words.post]
        rows.append(csr_matrix((values, (words.post, words.bucket)), shape=(n_posts, N_BUCKETS)))
    return vstack(rows, format="csr") if rows else csr_matrix((0, N_BUCKETS))


def _hash_in_parts(texts: Sequence[str]) -> Iterator[tuple[HashedWords, int]]:
    """Hash posts some at a time; each part with its number of posts."""
    part: list[bytes] = []
    n_bytes = 0
    for text in texts:
        part.append(text.lower().encode("utf-8", "surrogatepass"))
        n_bytes += len(part[-1])
        if n_bytes >= _BYTES_AT_A_TIME or len(part) == _POSTS_AT_A_TIME:
            yield hash_words(part), len(part)
            part, n_bytes = [], 0
    if part:
        yield hash_words(part), len(part)


def hash_words(texts: Sequence[bytes]) -> HashedWords:
    """Hash the words of lower-cased posts in UTF-8.

    A word is a run of ASCII letters and digits and of whatever stands outside ASCII, letters of any script and emoji
    alike, but typographic quotes, dashes and dots.

    Parameters
    ----------
    texts : sequence of bytes, at most 8,192

    Notes
    -----
    With prefix sums ``S[i] = sum over j < i of byte[j] p**j`` modulo 2**64, the sum of a word from ``a`` to ``b`` moved
    to the front, ``(S[b] - S[a]) p**-a``, depends on the word alone, wherever it stands (Rabin and Karp's rolling
    hash). ``weight`` is 1 + ln(times the word occurs in the post).
    """
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + len(_SEPARATOR)
    content = np.frombuffer(_SEPARATOR + _SEPARATOR.join(texts) + _SEPARATOR, dtype=np.uint8)
    is_word = _IS_WORD[content]
    is_word[_find_punctuation(content)] = False
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    powers, inverses = _compute_powers(_round_up(content.size))
    sums = np.cumsum(content * powers[: content.size])  # sums[i] holds bytes 0 to i
    codes = (sums[ends - 1] - sums[starts - 1]) * inverses[starts]
    codes = (codes ^ (codes >> np.uint64(31))) * _MIX
    buckets = (codes >> np.uint64(64 - _BUCKET_BITS)).astype(np.int32)
    n_words = np.diff(np.searchsorted(starts, np.cumsum(sizes)), prepend=0)
    posts = np.repeat(np.arange(len(texts), dtype=np.int32), n_words)
    pairs, counts = np.unique((posts << _BUCKET_BITS) | buckets, return_counts=True)
    return HashedWords(pairs >> _BUCKET_BITS, pairs & (N_BUCKETS - 1), 1 + np.log(counts))


def _find_punctuation(content: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Find the bytes of typographic quotes, dashes and dots (U+2000 to U+203F, all E2 80 xx in UTF-8)."""
    first = np.flatnonzero((content[:-2] == 0xE2) & (content[1:-1] == 0x80))
    return np.concatenate([first, first + 1, first + 2])


def _round_up(n_bytes: int) -> int:
    """Round up to a power of two, so that few lengths of powers are kept."""
    return 1 << max(n_bytes, _BYTES_AT_A_TIME).bit_length()


@lru_cache(maxsize=2)
def _compute_powers(n: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Compute the powers 0 to n - 1 of the multiplier and of its inverse, modulo 2**64."""
    bases = np.array([_MULTIPLIER, pow(_MULTIPLIER, -1, _MODULUS)], dtype=np.uint64)
    powers = np.broadcast_to(bases[:, None], (2, n)).copy()
    powers[:, 0] = 1
    np.cumprod(powers, axis=1, out=powers)
    return powers[0], powers[1]
