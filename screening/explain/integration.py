"""Integrated gradients over all windows of a post at once, by Captum, in steps that are added to and never repeated."""

from typing import Any

import torch
from captum.attr import IntegratedGradients

from screening.explain.heads import ScoreFunction
from screening.explain.paths import PostBatch, build_forward, list_fixed

METHOD = "riemann_middle"
GROWTH = 3


class PathIntegral:
    """Token weights of some posts, from gradients at the middles of equal steps from baseline to post.

    Parameters
    ----------
    classifier : torch.nn.Module
        With frozen weights, see :func:`screening.explain.paths.frozen`.
    score : callable
    batch : PostBatch
    n_steps : int
        Steps of the first pass.
    max_tokens_per_batch : int
        Memory budget; a post with more tokens, in all its windows, goes step by step, some windows at a time.

    Attributes
    ----------
    parts : tuple of tensors of float32
        Weights of the tokens, shape (n_posts, n_windows, n_tokens), exactly 0 where post and baseline are the same
        (special tokens, padding); of an ensemble, also what its word model adds, shape (n_posts, n_padded_words).
    n_steps : int

    Notes
    -----
    A third of a step has its middle where the step has it, or a third of a step before or after. So three times the
    steps are the steps there are and as many on each of two paths moved by that much: the first pass is never lost.
    """

    def __init__(
        self, classifier: Any, score: ScoreFunction, batch: PostBatch, *, n_steps: int, max_tokens_per_batch: int
    ) -> None:
        self._classifier, self._score, self._batch = classifier, score, batch
        self._max_tokens_per_batch = max_tokens_per_batch
        self.n_steps = n_steps
        self.parts = self._integrate(0.0)

    def select(self, rows: list[int]) -> None:
        """Go on with some of the posts."""
        self._batch, self.parts = self._batch.select(rows), tuple(part[rows] for part in self.parts)

    def refine(self) -> None:
        """Take three times the steps, of which two thirds are new."""
        shift = 1 / (GROWTH * self.n_steps)
        added = self._integrate(-shift), self._integrate(shift)
        self.parts = tuple((kept + one + other) / GROWTH for kept, one, other in zip(self.parts, *added, strict=True))
        self.n_steps *= GROWTH

    def _integrate(self, shift: float) -> tuple[torch.Tensor, ...]:
        """Integrate along the path moved by a share of its length; words go from nothing to their shares."""
        embedding, batch = self._classifier.get_input_embeddings(), self._batch
        word_shares = batch.words[:1]  # nothing without a word model
        with torch.no_grad():
            posts = (embedding(batch.input_ids), *word_shares)
            blanks = (embedding(batch.baseline_ids), *(torch.zeros_like(shares) for shares in word_shares))
            moved = [shift * (post - blank) for post, blank in zip(posts, blanks, strict=True)]
        forward = build_forward(self._classifier, self._score, batch, self._max_tokens_per_batch)
        by_dimension = IntegratedGradients(forward).attribute(
            tuple(post + move for post, move in zip(posts, moved, strict=True)),
            baselines=tuple(blank + move for blank, move in zip(blanks, moved, strict=True)),
            additional_forward_args=list_fixed(batch),
            n_steps=self.n_steps,
            method=METHOD,
            internal_batch_size=max(len(batch.shares), self._max_tokens_per_batch // batch.input_ids[0].numel()),
        )  # (n_posts, n_windows, n_tokens, n_embedding), and (n_posts, n_padded_words, n_classes)
        return tuple(part.detach().sum(dim=-1) for part in by_dimension)
