"""The comparator every report shows: TF-IDF with logistic regression, saved as safetensors and JSON."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from screening.exceptions import BundleError

FORMAT_VERSION = 1
_WEIGHTS = "baseline.safetensors"
_VOCABULARY = "baseline.json"


class TfidfBaseline:
    """Word 1- and 2-gram TF-IDF (sublinear) with multinomial logistic regression, classes weighted to balance.

    Parameters
    ----------
    vocabulary : dict of str to int
        Term to column.
    inverse_document_frequency : ndarray of shape (n_terms,)
    coefficients : ndarray of shape (n_classes, n_terms)
    intercept : ndarray of shape (n_classes,)
    """

    def __init__(
        self,
        vocabulary: dict[str, int],
        inverse_document_frequency: NDArray[np.float64],
        coefficients: NDArray[np.float64],
        intercept: NDArray[np.float64],
    ) -> None:
        self.vocabulary = vocabulary
        self.inverse_document_frequency = inverse_document_frequency
        self.coefficients = coefficients
        self.intercept = intercept

    @classmethod
    def fit(cls, texts: Sequence[str], y: NDArray[np.int64], n_classes: int, seed: int) -> "TfidfBaseline":
        """Fit on training posts.

        Parameters
        ----------
        texts : sequence of str
        y : ndarray of shape (n_posts,)
            Class indices; every class must occur.
        n_classes : int
        seed : int

        Raises
        ------
        ValueError
            If a class has no post.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        missing = sorted(set(range(n_classes)) - set(np.unique(y).tolist()))
        if missing:
            message = f"expected posts of all {n_classes} classes, found none of class indices {missing}"
            raise ValueError(message)
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=60_000, sublinear_tf=True)
        features = vectorizer.fit_transform(texts)
        model = LogisticRegression(C=5.0, max_iter=2_000, class_weight="balanced", random_state=seed)
        model.fit(features, y)
        vocabulary = {term: int(column) for term, column in vectorizer.vocabulary_.items()}
        coefficients, intercept = np.asarray(model.coef_), np.asarray(model.intercept_)
        if n_classes == 2:  # sklearn keeps one row for two classes
            coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
            intercept = np.concatenate([np.zeros_like(intercept), intercept])
        return cls(vocabulary, np.asarray(vectorizer.idf_), coefficients, intercept)

    def compute_logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Compute class logits of shape (n_posts, n_classes), in input order."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        if not texts:
            return np.zeros((0, len(self.intercept)))
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, vocabulary=self.vocabulary)
        vectorizer.idf_ = self.inverse_document_frequency
        return np.asarray(vectorizer.transform(texts) @ self.coefficients.T + self.intercept)

    def compute_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Compute class probabilities of shape (n_posts, n_classes), in input order."""
        from scipy.special import softmax

        return np.asarray(softmax(self.compute_logits(texts), axis=1))

    def save(self, folder: Path) -> None:
        """Write the baseline into a folder (which is made)."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        terms = sorted(self.vocabulary, key=lambda term: self.vocabulary[term])
        record = {"format_version": FORMAT_VERSION, "terms": terms}
        (folder / _VOCABULARY).write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
        tensors = {
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
        from safetensors.numpy import load_file

        try:
            record = json.loads((folder / _VOCABULARY).read_text(encoding="utf-8"))
            tensors = load_file(folder / _WEIGHTS)
            if record["format_version"] != FORMAT_VERSION:
                message = f"baseline format is {record['format_version']}, expected {FORMAT_VERSION}; train it again"
                raise BundleError(message)
            return cls({term: i for i, term in enumerate(record["terms"])}, **tensors)
        except (OSError, KeyError, ValueError) as error:
            message = f"folder {folder.name!r} holds no whole baseline; run: screening train"
            raise BundleError(message) from error
