"""Posts with some words masked, scored the way the whole post is scored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from screening.config import LongPosts
from screening.explain.aggregation import WordWeight
from screening.explain.heads import ScoreFunction
from screening.explain.word_part import WordPart
from screening.inference.forward import compute_logits


class MaskedPost(NamedTuple):
    """A version of a post: its text with mask tokens in, and what the word model of an ensemble adds to its logits."""

    text: str
    word_logits: tuple[float, ...] = ()


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
    words : WordPart, optional
        Of an ensemble.

    Raises
    ------
    ValueError
        If the tokenizer has no mask token.

    Notes
    -----
    A word of k pieces becomes k mask tokens. The post keeps its length, so its windows stay where they were, and a post
    with every word masked is the baseline of its attributions. Masking is not removing: what a classifier makes of many
    masks it rarely met in training is part of the result, for marked and for random words alike.

    To a word model, a masked word is gone and leaves a gap: no mask token is a word, and the words on both sides make
    no pair. With every word masked its intercept is left, where its path begins too.
    """

    classifier: Any
    tokenizer: Any
    score: ScoreFunction
    max_tokens: int
    long_posts: LongPosts = "windows"
    precision: str = "fp32"
    words: WordPart | None = None

    def __post_init__(self) -> None:
        """Refuse a tokenizer that cannot mask."""
        if self.tokenizer.mask_token is None:
            message = "expected a tokenizer with a mask token, found none; words cannot be masked"
            raise ValueError(message)

    def list_versions(
        self, text: str, words: Sequence[WordWeight], chosen: Iterable[NDArray[np.int64]]
    ) -> list[MaskedPost]:
        """List the whole post and then, for each choice of rows of its words, the post with these words masked."""
        counts, choices = self.count_pieces(text, words), [np.zeros(0, dtype=np.int64), *chosen]
        masked = [[words[row] for row in rows] for rows in choices]
        pairs = zip(masked, choices, strict=True)
        texts = [self.mask_words(text, part, counts[rows].tolist()) for part, rows in pairs]
        if self.words is None:
            return [MaskedPost(version) for version in texts]
        spans = [[(word.start, word.end) for word in part] for part in masked]
        word_logits = self.words.compute_masked_logits(text, spans).tolist()
        return [MaskedPost(version, tuple(row)) for version, row in zip(texts, word_logits, strict=True)]

    def count_pieces(self, text: str, words: Sequence[WordWeight]) -> NDArray[np.int64]:
        """Count the word pieces of each word of a post, shape (n_words,), at least 1; words in reading order."""
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        starts = [start for start, _ in encoded["offset_mapping"]]
        owner = np.searchsorted([word.end for word in words], starts, side="right")
        counts: NDArray[np.int64] = np.bincount(owner, minlength=len(words) + 1)[: len(words)]
        return np.maximum(counts, 1)

    def mask_words(self, text: str, words: Sequence[WordWeight], counts: Sequence[int]) -> str:
        """Put as many mask tokens in the place of each word as it has pieces."""
        kept, reached = [], 0
        for word, count in sorted(zip(words, counts, strict=True)):
            kept += [text[reached : word.start], count * str(self.tokenizer.mask_token)]
            reached = word.end
        return "".join([*kept, text[reached:]])

    def compute_scores(self, versions: Sequence[MaskedPost]) -> NDArray[np.float64]:
        """Score each different version once, shape (n_versions,); short posts give the same version many times."""
        row_by_version = {version: row for row, version in enumerate(dict.fromkeys(versions))}
        outputs = compute_logits(
            self.classifier,
            self.tokenizer,
            [version.text for version in row_by_version],
            max_tokens=self.max_tokens,
            long_posts=self.long_posts,
            precision=self.precision,
        )
        tensors = {name: torch.from_numpy(getattr(outputs, name)) for name in ("logits", "valence", "intensity")}
        if self.words is not None:
            added = torch.tensor([version.word_logits for version in row_by_version], dtype=torch.float32)
            tensors["logits"] = tensors["logits"] + added.view(tensors["logits"].shape)
        scores = self.score(SimpleNamespace(**tensors)).numpy().astype(np.float64)
        chosen: NDArray[np.float64] = scores[[row_by_version[version] for version in versions]]
        return chosen
