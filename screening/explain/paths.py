"""The straight line from a masked post to the post itself, along which gradients are integrated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from numpy.typing import NDArray

from screening.explain.heads import ScoreFunction
from screening.inference.forward import pad_batch


@dataclass(frozen=True)
class Paths:
    """Some posts of one length, their baselines, and the scores at both ends."""

    integrate: LayerIntegratedGradients
    input_ids: torch.Tensor
    baseline_ids: torch.Tensor
    attention_mask: torch.Tensor
    scores: NDArray[np.float64]
    baseline_scores: NDArray[np.float64]

    def select(self, rows: list[int]) -> "Paths":
        """Keep some of the posts."""
        return replace(
            self,
            input_ids=self.input_ids[rows],
            baseline_ids=self.baseline_ids[rows],
            attention_mask=self.attention_mask[rows],
            scores=self.scores[rows],
            baseline_scores=self.baseline_scores[rows],
        )


def build_paths(
    classifier: Any, tokenizer: Any, token_ids: list[list[int]], score: ScoreFunction, max_tokens: int
) -> Paths:
    """Pad some posts to one length, build their baselines, and score both ends."""
    device = next(classifier.parameters()).device
    input_ids, attention_mask = (part.to(device) for part in pad_batch(token_ids, tokenizer.pad_token_id, max_tokens))
    baseline_ids = build_baseline(input_ids, tokenizer)

    def forward(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return score(classifier(input_ids=ids, attention_mask=mask))

    with torch.no_grad():
        ends = [forward(ids, attention_mask).double().cpu().numpy() for ids in (input_ids, baseline_ids)]
    integrate = LayerIntegratedGradients(forward, classifier.get_input_embeddings())
    return Paths(integrate, input_ids, baseline_ids, attention_mask, *ends)


def build_baseline(input_ids: torch.Tensor, tokenizer: Any) -> torch.Tensor:
    """Replace every token that is not special by the mask token, or by padding where the tokenizer has no mask."""
    blank = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.pad_token_id
    names = ("pad", "cls", "sep", "bos", "eos")  # not "unk": an unknown word is a word
    kept = {getattr(tokenizer, f"{name}_token_id") for name in names} - {None}
    is_kept = torch.isin(input_ids, torch.tensor(sorted(kept), device=input_ids.device))
    return torch.where(is_kept, input_ids, blank)


@contextmanager
def frozen(classifier: Any) -> Iterator[None]:
    """Switch to evaluation mode without weight gradients: only the embeddings' gradient is wanted."""
    was_training = classifier.training
    trainable = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    classifier.eval()
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
        classifier.train(was_training)
