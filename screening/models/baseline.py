"""TF-IDF with logistic regression, saved as safetensors: every report's comparator, and a second voice in an ensemble.

Terms are kept as digests: a vocabulary in clear would carry people's words out of the data folder.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screening.exceptions import BundleError

_WEIGHTS = "baseline.safetensors"
_WORD = re.compile(r"\b\w\w+\b")  # sklearn's own default
DIGEST_BYTES = 8


class WordShares(NamedTuple):
    """What the words of a post bring to its logits.

    Attributes
    ----------
    spans : ndarray of int64, shape (n_words, 2)
        Characters ``[start, end)`` of the post.
    logits : ndarray of float, shape (n_words, n_classes)
    """

    spans: NDArray[np.int64]
    logits: NDArray[np.float64]


class TfidfBaseline:
    """Word 1- and 2-gram TF-IDF (sublinear) with multinomial logistic regression, classes weighted to balance.

    Parameters
    ----------
    term_digests : ndarray of uint8, shape (n_terms, 8)
        Digest of each column's term.
    inverse_document_frequency : ndarray of shape (n_terms,)
    coefficients : ndarray of shape (n_classes, n_terms)
    intercept : ndarray of shape (n_classes,)
    """

    def __init__(
        self,
        term_digests: NDArray[np.uint8],
        inverse_document_frequency: NDArray[np.float64],
        coefficients: NDArray[np.float64],
        intercept: NDArray[np.float64],
    ) -> None:
        self.term_digests = term_digests
        self.inverse_document_frequency = inverse_document_frequency
        self.coefficients = coefficients
        self.intercept = intercept

    @classmethod
    def fit(
        cls, texts: Sequence[str], y: NDArray[np.int64], n_classes: int, seed: int, *, min_posts: int = 2
    ) -> "TfidfBaseline":
        """Fit on training posts.

        Parameters
        ----------
        texts : sequence of str
        y : ndarray of shape (n_posts,)
            Class indices; every class must occur.
        n_classes : int
        seed : int
        min_posts : int
            A term must stand in so many posts to be learnt.

        Raises
        ------
        ValueError
            If a class has no post, or no term stands in enough posts.
        """
        from sklearn.linear_model import LogisticRegression

        missing = sorted(set(range(n_classes)) - set(np.unique(y).tolist()))
        if missing:
            message = f"expected posts of all {n_classes} classes, found none of class indices {missing}"
            raise ValueError(message)
        vectorizer = _make_vectorizer(min_df=min_posts, max_features=60_000)
        features = vectorizer.fit_transform(texts)
        model = LogisticRegression(C=5.0, max_iter=2_000, class_weight="balanced", random_state=seed)
        model.fit(features, y)
        digests = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
        term_digests = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
        coefficients, intercept = np.asarray(model.coef_), np.asarray(model.intercept_)
        if n_classes == 2:  # sklearn keeps one row for two classes
            coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
            intercept = np.concatenate([np.zeros_like(intercept), intercept])
        return cls(term_digests, np.asarray(vectorizer.idf_), coefficients, intercept)

    def compute_logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Compute class logits of shape (n_posts, n_classes), in input order."""
        if not texts:
            return np.zeros((0, len(self.intercept)))
        return np.asarray(self._vectorizer.transform(texts) @ self.coefficients.T + self.intercept)

    def weigh_words(self, text: str) -> WordShares:
        """Share the logits of a post out over its words.

        What a term brings is divided among the places where it stands, and what a pair of words brings between the two.

        Returns
        -------
        WordShares
            Their sum and the intercept are the post's :meth:`compute_logits`.
        """
        spans, terms = locate_words(text), list_terms(text)
        owners = [*((i,) for i in range(len(spans))), *pairwise(range(len(spans)))]  # single words, then pairs
        features = self._vectorizer.transform([text]).tocsr()
        times, values = Counter(terms), dict(zip(features.indices, features.data, strict=True))
        logits = np.zeros((len(spans), len(self.intercept)))
        for term, words in zip(terms, owners, strict=True):
            column = self._columns.get(term)
            if column is not None:
                logits[list(words)] += values[column] * self.coefficients[:, column] / times[term] / len(words)
        return WordShares(np.array(spans, dtype=np.int64).reshape(-1, 2), logits)

    def compute_masked_logits(self, text: str, masked: Sequence[Sequence[tuple[int, int]]]) -> NDArray[np.float64]:
        """Compute the logits of versions of a post from which some words are gone.

        A version keeps the single words that are not masked, and those pairs of which neither is. What stands on both
        sides of a gap makes no new pair.

        Parameters
        ----------
        text : str
            The whole post.
        masked : sequence of sequences of (int, int), length n_versions
            Characters ``[start, end)`` of the post that a version lacks; words they touch are gone whole.

        Returns
        -------
        ndarray of shape (n_versions, n_classes)
            The intercept where no known term is left; :meth:`compute_logits` of the post where nothing is masked.
        """
        words = np.array(locate_words(text), dtype=np.int64).reshape(-1, 2)
        columns = np.array([self._columns.get(term, -1) for term in list_terms(text)], dtype=np.int64)
        logits = np.tile(np.asarray(self.intercept, dtype=np.float64), (len(masked), 1))
        for version, spans in enumerate(masked):
            is_kept = ~_touch(words, spans, len(text))
            kept = columns[np.concatenate([is_kept, is_kept[:-1] & is_kept[1:]])]  # single words, then pairs
            known, times = np.unique(kept[kept >= 0], return_counts=True)
            features = (1 + np.log(times)) * self.inverse_document_frequency[known]
            logits[version] += self.coefficients[:, known] @ (features / (np.linalg.norm(features) or 1.0))
        return logits

    def compute_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Compute class probabilities of shape (n_posts, n_classes), in input order."""
        from scipy.special import softmax

        return np.asarray(softmax(self.compute_logits(texts), axis=1))

    @cached_property
    def _columns(self) -> dict[bytes, int]:
        return {row.tobytes(): i for i, row in enumerate(self.term_digests)}

    @cached_property
    def _vectorizer(self) -> Any:
        vectorizer = _make_vectorizer(vocabulary=self._columns)
        vectorizer.idf_ = self.inverse_document_frequency
        return vectorizer

    def save(self, folder: Path) -> None:
        """Write the baseline into a folder (which is made)."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        tensors: dict[str, NDArray[Any]] = {
            "term_digests": np.ascontiguousarray(self.term_digests),
            "inverse_document_frequency": self.inverse_document_frequency,
            "coefficients": np.ascontiguousarray(self.coefficients),
            "intercept": self.intercept,
        }
        save_file(tensors, folder / _WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> "TfidfBaseline":
        """Read a baseline that :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is missing or of another format.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            return cls(**load_file(folder / _WEIGHTS))
        except (OSError, TypeError, SafetensorError) as error:
            message = f"folder {folder.name!r} holds no whole baseline; run: screening train"
            raise BundleError(message) from error


def locate_words(text: str) -> list[tuple[int, int]]:
    """Locate the words that terms are made of, as characters ``[start, end)`` of the text as it is written.

    Examples
    --------
    >>> text = "So TIRED, I can't"
    >>> [text[start:end] for start, end in locate_words(text)]
    ['So', 'TIRED', 'can']
    """
    origin = [i for i, character in enumerate(text) for _ in character.lower()]  # a few letters become two
    return [(origin[word.start()], origin[word.end() - 1] + 1) for word in _WORD.finditer(text.lower())]


def list_terms(text: str) -> list[bytes]:
    """List the digests of a text's words and pairs of neighbouring words (lower case, two letters or more)."""
    words = _WORD.findall(text.lower())
    return [_digest(term) for term in (*words, *(f"{a} {b}" for a, b in pairwise(words)))]


def _touch(words: NDArray[np.int64], spans: Sequence[tuple[int, int]], n_characters: int) -> NDArray[np.bool_]:
    """Whether each word shares a character with any span, shape (n_words,)."""
    is_masked = np.zeros(n_characters + 1, dtype=np.int64)
    for start, end in spans:
        is_masked[start + 1 : end + 1] = 1
    n_masked_before = np.cumsum(is_masked)
    return np.asarray(n_masked_before[words[:, 1]] > n_masked_before[words[:, 0]])


@lru_cache(maxsize=2**18)
def _digest(term: str) -> bytes:
    return hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _make_vectorizer(**settings: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=list_terms, sublinear_tf=True, **settings)
