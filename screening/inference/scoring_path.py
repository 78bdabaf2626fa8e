"""The one way from texts to logits: the path that calibrates is the path that serves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from screening.config import LongPosts
from screening.inference.backends import Engine
from screening.inference.forward import Logits, Progress, run_engine
from screening.models.baseline import TfidfBaseline


@dataclass(frozen=True)
class ScoringPath:
    """An encoder made ready and, in an ensemble, the word model whose class logits are added to the encoder's.

    Attributes
    ----------
    engine : Engine
    tokenizer : PreTrainedTokenizerFast
        The encoder's own.
    max_tokens : int
        Window of the encoder.
    long_posts : {"windows", "cut"}
    words : TfidfBaseline or None
        Reads every post to its end.
    words_weight : float
        What its logits are multiplied by.
    has_scales : bool
        Whether the encoder's valence and intensity heads were trained; without, both are NaN.
    """

    engine: Engine
    tokenizer: Any
    max_tokens: int
    long_posts: LongPosts
    words: TfidfBaseline | None = None
    words_weight: float = 0.0
    has_scales: bool = True

    def compute_logits(self, texts: Sequence[str], on_progress: Progress | None = None) -> Logits:
        """Compute what is said about cleaned posts, in input order; valence and intensity are the encoder's alone.

        Parameters
        ----------
        texts : sequence of str, length n_posts
        on_progress : callable, optional
            Called as ``on_progress(n_done, n_posts)``.
        """
        encoded = run_engine(
            self.engine,
            self.tokenizer,
            texts,
            max_tokens=self.max_tokens,
            long_posts=self.long_posts,
            on_progress=on_progress,
        )
        if not self.has_scales:
            unknown = np.full(len(encoded), np.nan, dtype=np.float32)
            encoded = replace(encoded, valence=unknown, intensity=unknown)
        return self.add_words(encoded, texts)

    def add_words(self, encoded: Logits, texts: Sequence[str]) -> Logits:
        """Add the word model's class logits to the encoder's of the same posts."""
        if self.words is None:
            return encoded
        logits = encoded.logits + self.words_weight * self.words.compute_logits(texts)
        return replace(encoded, logits=logits.astype(np.float32))
