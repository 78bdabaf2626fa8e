"""Posts with the tokens replaced that the loss depends on most: what token detection (CARL's PTD) reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from screening.objectives.gathering import NOT_COUNTED
from screening.objectives.ptd import choose_tokens, replace_tokens


@dataclass(frozen=True)
class TokenPerturber:
    """How tokens are chosen and replaced.

    Attributes
    ----------
    fraction : float in (0, 1)
        Share of a post's own tokens that is replaced.
    counts : Tensor of int64, shape (n_vocabulary,)
        How often each token stands in training posts; 0 for special tokens.
    special_ids : tuple of int
    """

    fraction: float
    counts: Tensor
    special_ids: tuple[int, ...]

    @classmethod
    def from_posts(cls, fraction: float, token_ids: list[list[int]], tokenizer: Any) -> "TokenPerturber":
        """Count the tokens of training posts."""
        counts = np.bincount(np.concatenate(token_ids), minlength=len(tokenizer))
        special_ids = tuple(tokenizer.all_special_ids)
        counts[list(special_ids)] = 0
        return cls(fraction, torch.from_numpy(counts), special_ids)

    def __call__(
        self, batch: dict[str, Tensor], saliency: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Replace tokens of a batch.

        Returns
        -------
        perturbed_ids : Tensor of int64, shape (n_posts, n_tokens)
        targets : Tensor of float32, shape (n_posts, n_tokens)
            1 replaced, 0 not, ``NOT_COUNTED`` for padding and special tokens.
        """
        token_ids = batch["input_ids"]
        special_ids = torch.tensor(self.special_ids, device=token_ids.device)
        is_own = batch["attention_mask"].bool() & ~torch.isin(token_ids, special_ids)
        is_chosen = choose_tokens(saliency, is_own, self.fraction)
        perturbed_ids = replace_tokens(token_ids, is_chosen, self.counts.to(token_ids.device), generator)
        targets = (perturbed_ids != token_ids).float()
        return perturbed_ids, targets.masked_fill(~is_own, NOT_COUNTED)


def compute_saliency(classifier: Any, batch: dict[str, Tensor], compute_loss: Callable[[Any], Tensor]) -> Tensor:
    """Compute ``|∇_e L · e|`` for every token of a batch, ``e`` its word vector, without dropout.

    Parameters
    ----------
    classifier : RiskClassifier
        Not wrapped for several processes: each takes its own share of the batch.
    batch : dict of str to Tensor
        ``input_ids`` and ``attention_mask`` of shape (n_posts, n_tokens).
    compute_loss : callable
        From the classifier's outputs to ``L``.

    Returns
    -------
    Tensor of float32, shape (n_posts, n_tokens)
        All 0 for a loss that depends on no word. No weight of the classifier gets a gradient from this.
    """
    with torch.enable_grad(), _evaluating(classifier), _recorded(classifier.get_input_embeddings()) as vectors:
        loss = compute_loss(classifier(**batch))
        if not loss.requires_grad:
            return torch.zeros(batch["input_ids"].shape, device=loss.device)
        (gradient,) = torch.autograd.grad(loss, vectors)
    return (gradient.float() * vectors[0].detach().float()).sum(dim=2).abs()


@contextmanager
def _evaluating(classifier: Any) -> Iterator[None]:
    was_training = classifier.training
    classifier.eval()
    try:
        yield
    finally:
        classifier.train(was_training)


@contextmanager
def _recorded(embeddings: torch.nn.Module) -> Iterator[list[Tensor]]:
    """Record the word vectors of the next forward pass, cut off from the table they come from."""
    recorded: list[Tensor] = []

    def record(module: Any, inputs: Any, vectors: Tensor) -> Tensor:
        recorded.append(vectors.detach().requires_grad_())
        return recorded[-1]

    handle = embeddings.register_forward_hook(record)
    try:
        yield recorded
    finally:
        handle.remove()
