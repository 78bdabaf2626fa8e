"""Integrated gradients over all windows of a post at once, by Captum, in steps that are added to and never repeated."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from captum.attr import IntegratedGradients

from screening.explain.heads import ScoreFunction
from screening.explain.paths import PostBatch, score_posts

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
        Memory budget; a post with more tokens, in all its windows, goes step by step.

    Attributes
    ----------
    weights : tensor of float32, shape (n_posts, n_windows, n_tokens)
        Exactly 0 where post and baseline are the same (special tokens, padding).
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
        self.weights = self._integrate(0.0)

    def select(self, rows: list[int]) -> None:
        """Go on with some of the posts."""
        self._batch, self.weights = self._batch.select(rows), self.weights[rows]

    def refine(self) -> None:
        """Take three times the steps, of which two thirds are new."""
        shift = 1 / (GROWTH * self.n_steps)
        self.weights = (self.weights + self._integrate(-shift) + self._integrate(shift)) / GROWTH
        self.n_steps *= GROWTH

    def _integrate(self, shift: float) -> torch.Tensor:
        """Integrate along the path moved by a share of its length."""
        embedding, batch = self._classifier.get_input_embeddings(), self._batch
        with torch.no_grad():
            posts, blanks = embedding(batch.input_ids), embedding(batch.baseline_ids)
            moved = shift * (posts - blanks)

        def forward(embedded: torch.Tensor, *inputs: torch.Tensor) -> torch.Tensor:
            with _replace_output(embedding, embedded.flatten(0, 1)):
                return score_posts(self._classifier, self._score, *inputs)

        by_dimension = IntegratedGradients(forward).attribute(
            posts + moved,
            baselines=blanks + moved,
            additional_forward_args=(batch.input_ids, batch.attention_mask, batch.shares),
            n_steps=self.n_steps,
            method=METHOD,
            internal_batch_size=max(len(posts), self._max_tokens_per_batch // batch.input_ids[0].numel()),
        )  # (n_posts, n_windows, n_tokens, n_embedding)
        return by_dimension.detach().sum(dim=-1)


@contextmanager
def _replace_output(layer: torch.nn.Module, output: torch.Tensor) -> Iterator[None]:
    hook = layer.register_forward_hook(lambda *_: output)
    try:
        yield
    finally:
        hook.remove()
