"""Posts with some words or sentences masked, scored the way the whole post is scored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from screening.config import LongPosts
from screening.explain.explanations import ExplainedBundle
from screening.explain.heads import ScoreFunction, build_score
from screening.explain.word_part import WordPart, select_word_part
from screening.inference.backends import Engine, load_engine
from screening.inference.forward import run_windows
from screening.inference.precision import resolve_precision
from screening.inference.windows import PostWindows, locate_tokens, split_into_windows


class MaskedPost(NamedTuple):
    """A version of a post: its windows' token ids with mask tokens in, and their shares in the mean.

    In an ensemble also what the word model adds to its logits.
    """

    windows: tuple[tuple[int, ...], ...]
    shares: tuple[float, ...]
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
    Every word piece of a masked word becomes a mask token, in the ids and not in the text: the post keeps its length,
    its windows stay where they were, and a post with every word masked is the baseline of its attributions. Masking is
    not removing: what a classifier makes of many masks it rarely met in training is part of the result, for marked and
    for random words alike.

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
            message = "expected a tokenizer with a mask token, found none; nothing can be masked"
            raise ValueError(message)

    def list_versions(
        self, text: str, spans: Sequence[tuple[int, int]], chosen: Iterable[NDArray[np.int64]]
    ) -> list[MaskedPost]:
        """List the whole post and then, for each choice of rows of its spans, the post with these spans masked.

        ``spans`` are characters ``[start, end)`` in reading order that do not overlap: words or sentences.
        """
        windows = split_into_windows(self.tokenizer, [text], self.max_tokens, self.long_posts)
        owned = list(zip(windows.token_ids, self.assign_tokens(text, spans), strict=True))
        choices = [np.zeros(0, dtype=np.int64), *chosen]
        shares = tuple(windows.weights.tolist())
        versions = [
            MaskedPost(tuple(self._mask(ids, np.isin(owner, rows)) for ids, owner in owned), shares) for rows in choices
        ]
        if self.words is None:
            return versions
        added = self.words.compute_masked_logits(text, [[spans[row] for row in rows] for rows in choices]).tolist()
        return [version._replace(word_logits=tuple(row)) for version, row in zip(versions, added, strict=True)]

    def assign_tokens(self, text: str, spans: Sequence[tuple[int, int]]) -> list[NDArray[np.int64]]:
        """Say which span each token of each window begins in, or is the next after: its row; -1 for special tokens.

        Tokens behind the last span have a row of ``len(spans)``, which is nobody's.
        """
        located = locate_tokens(self.tokenizer, text, self.max_tokens, self.long_posts)
        ends = [end for _, end in spans]
        windows = [np.array(window, dtype=np.int64).reshape(-1, 2) for window in located]
        return [np.where(at[:, 1] > 0, np.searchsorted(ends, at[:, 0], side="right"), -1) for at in windows]

    def compute_scores(self, versions: Sequence[MaskedPost]) -> NDArray[np.float64]:
        """Score versions, shape (n_versions,); every different window is run once, however many versions hold it."""
        held = [ids for version in versions for ids in version.windows]
        row_by_window = {ids: row for row, ids in enumerate(dict.fromkeys(held))}
        outputs = run_windows(self._load_engine(), list(row_by_window), self.tokenizer.pad_token_id, self.max_tokens)
        windows = PostWindows(
            token_ids=[list(ids) for ids in held],
            post=np.repeat(np.arange(len(versions)), [len(version.windows) for version in versions]),
            weights=np.array([share for version in versions for share in version.shares], dtype=np.float64),
            n_tokens=np.zeros(len(versions), dtype=np.int64),
        )
        rows = [row_by_window[ids] for ids in held]
        means = {name: torch.from_numpy(windows.average(values[rows])) for name, values in outputs.items()}
        if self.words is not None:
            added = torch.tensor([version.word_logits for version in versions], dtype=torch.float32)
            means["logits"] = means["logits"] + added.view(means["logits"].shape)
        scores: NDArray[np.float64] = self.score(SimpleNamespace(**means)).numpy().astype(np.float64)
        return scores

    def _mask(self, token_ids: Sequence[int], is_masked: NDArray[np.bool_]) -> tuple[int, ...]:
        return tuple(np.where(is_masked, self.tokenizer.mask_token_id, token_ids).tolist())

    def _load_engine(self) -> Engine:
        device = next(self.classifier.parameters()).device
        return load_engine(self.classifier, "torch", resolve_precision(self.precision, device.type))


def build_masked_scorer(bundle: ExplainedBundle, head: str, precision: str = "fp32") -> MaskedScorer:
    """Build what a head's score of a bundle's posts is computed with while parts of them are masked."""
    manifest = bundle.manifest
    return MaskedScorer(
        bundle.classifier,
        bundle.tokenizer,
        build_score(head, manifest.taxonomy, manifest.temperature.temperature),
        manifest.max_tokens,
        manifest.long_posts,
        precision=precision,
        words=select_word_part(bundle, head),
    )
