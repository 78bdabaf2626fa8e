"""Posts with some words masked, scored the way the whole post is scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from screening.config import LongPosts
from screening.explain.aggregation import WordWeight
from screening.explain.heads import ScoreFunction
from screening.inference.forward import compute_logits


@dataclass(frozen=True)
class MaskedScorer:
    """What masked versions of a post are scored with.

    Attributes
    ----------
    classifier : torch.nn.Module
    tokenizer : PreTrainedTokenizerFast
        Has a mask token.
    score : callable
        The explained score, see :func:`screening.explain.heads.build_score`.
    max_tokens : int
    long_posts : {"windows", "cut"}
        As the screener reads posts beyond the window.
    precision : {"auto", "bf16", "fp32"}
        As the screener scores; ``fp32`` where changes are small (a single word).

    Raises
    ------
    ValueError
        If the tokenizer has no mask token.

    Notes
    -----
    A word of k pieces becomes k mask tokens. The post keeps its length, so its windows stay where they were, and a post
    with every word masked is the baseline of its attributions. Masking is not removing: what a classifier makes of many
    masks it rarely met in training is part of the result, for marked and for random words alike.
    """

    classifier: Any
    tokenizer: Any
    score: ScoreFunction
    max_tokens: int
    long_posts: LongPosts = "windows"
    precision: str = "fp32"

    def __post_init__(self) -> None:
        """Refuse a tokenizer that cannot mask."""
        if self.tokenizer.mask_token is None:
            message = "expected a tokenizer with a mask token, found none; words cannot be masked"
            raise ValueError(message)

    def count_pieces(self, text: str, words: Sequence[WordWeight]) -> NDArray[np.int64]:
        """Count the word pieces of each word of a post, shape (n_words,), at least 1; words in reading order."""
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        starts = [start for start, _ in encoded["offset_mapping"]]
        owner = np.searchsorted([word.end for word in words], starts, side="right")
        counts: NDArray[np.int64] = np.bincount(owner, minlength=len(words) + 1)[: len(words)]
        return np.maximum(counts, 1)

    def mask_words(self, text: str, words: Sequence[WordWeight], counts: Sequence[int]) -> str:
        """Put as many mask tokens in the place of each word as it has pieces."""
        places = sorted(zip(words, counts, strict=True), reverse=True)
        for word, count in places:  # from the end, so that earlier offsets stay right
            text = text[: word.start] + count * str(self.tokenizer.mask_token) + text[word.end :]
        return text

    def compute_scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Score each different text once, shape (n_texts,); short posts give the same version many times."""
        row_by_text = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        outputs = compute_logits(
            self.classifier,
            self.tokenizer,
            list(row_by_text),
            max_tokens=self.max_tokens,
            long_posts=self.long_posts,
            precision=self.precision,
        )
        tensors = {name: torch.from_numpy(getattr(outputs, name)) for name in ("logits", "valence", "intensity")}
        scores = self.score(SimpleNamespace(**tensors)).numpy().astype(np.float64)
        chosen: NDArray[np.float64] = scores[[row_by_text[text] for text in texts]]
        return chosen
