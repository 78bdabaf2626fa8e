"""What the word model of an ensemble adds to the encoder's logits, word by word and without some words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from screening.explain.aggregation import WordWeight
from screening.explain.paths import PostBatch, WordLogits
from screening.models.baseline import TfidfBaseline, WordShares


@dataclass(frozen=True)
class WordPart:
    """A word model, and how often its logits count beside the encoder's.

    Attributes
    ----------
    model : TfidfBaseline
        Reads every post to its end, whatever the encoder reads.
    weight : float
        The bundle's ``words_weight``.
    """

    model: TfidfBaseline
    weight: float

    @property
    def intercept(self) -> NDArray[np.float64]:
        """What is added to the logits of a post without any known term, shape (n_classes,)."""
        return self.weight * np.asarray(self.model.intercept, dtype=np.float64)

    def share_out(self, text: str) -> WordShares:
        """Say what each word of a post adds; with the intercept, that is all that is added."""
        spans, logits = self.model.weigh_words(text)
        return WordShares(spans, self.weight * logits)

    def compute_masked_logits(self, text: str, masked: Sequence[Sequence[tuple[int, int]]]) -> NDArray[np.float32]:
        """Compute what is added to versions of a post without the words in some spans, shape (n_versions, n_classes).

        See :meth:`screening.models.baseline.TfidfBaseline.compute_masked_logits`: a mask token is no word.
        """
        return (self.weight * self.model.compute_masked_logits(text, masked)).astype(np.float32)

    def build_logits(self, shares: Sequence[WordShares], device: torch.device) -> WordLogits:
        """Pad the shares of some posts to the post of most words."""
        n_words = max([1, *(len(post.spans) for post in shares)])
        padded = np.zeros((len(shares), n_words, len(self.intercept)))
        for row, post in zip(padded, shares, strict=True):
            row[: len(post.logits)] = post.logits
        intercept = np.tile(self.intercept, (len(shares), 1))
        parts = (torch.tensor(part, dtype=torch.float32, device=device) for part in (padded, intercept))
        return WordLogits(*parts)


def add_words(
    batch: PostBatch, words: WordPart | None, texts: Sequence[str]
) -> tuple[PostBatch, list[NDArray[np.int64]]]:
    """Add what a word model says of a batch's posts, and return the spans of their words; none without a model."""
    if words is None:
        return batch, [np.zeros((0, 2), dtype=np.int64) for _ in texts]
    shares = [words.share_out(text) for text in texts]
    return replace(batch, words=words.build_logits(shares, batch.shares.device)), [post.spans for post in shares]


def list_words(spans: NDArray[np.int64], weights: NDArray[np.float64]) -> tuple[WordWeight, ...]:
    """Pair a post's spans with its weights, which are padded behind the last."""
    kept = weights[: len(spans)]
    pairs = zip(spans.tolist(), kept.tolist(), strict=True)
    return tuple(WordWeight(start, end, weight) for (start, end), weight in pairs)


def select_word_part(bundle: Any, head: str) -> WordPart | None:
    """Select what a bundle's word model adds to a head: nothing without one, nor to valence and intensity."""
    if bundle.words is None or bundle.manifest.words_weight == 0 or not head.startswith("class:"):
        return None
    return WordPart(bundle.words, bundle.manifest.words_weight)
