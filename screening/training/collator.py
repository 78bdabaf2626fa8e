"""From posts to padded batches."""

from typing import Any

import torch
from torch import Tensor

from screening.inference.forward import pad_batch

TEACHER = "teacher_probabilities"
"""Column of training posts, and field of the outputs, that distillation reads."""
POOLED = "pooled"
"""Column of posts whose representations were computed before, and what the classifier calls them."""


class PaddingCollator:
    """Pad token ids to the longest post of the batch, rounded up to a multiple of 8.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    max_tokens : int
        Upper bound of the padded length.
    """

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        """Collate rows with ``input_ids``, ``labels`` and perhaps ``teacher_probabilities`` or ``pooled``."""
        token_ids = [row["input_ids"] for row in rows]
        input_ids, attention_mask = pad_batch(token_ids, self.tokenizer.pad_token_id, self.max_tokens)
        labels = torch.tensor([row["labels"] for row in rows])  # int64 for classes, float32 for coordinates
        batch = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        extra = [name for name in (TEACHER, POOLED) if name in rows[0]]
        return batch | {name: torch.tensor([row[name] for row in rows]) for name in extra}
