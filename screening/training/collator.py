"""From posts to padded batches."""

from typing import Any

import torch
from torch import Tensor

PAD_MULTIPLE = 8  # other lengths make oneDNN rebuild its kernels for every new shape


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
        """Collate rows with ``input_ids`` and ``labels``."""
        longest = max(len(row["input_ids"]) for row in rows)
        n_tokens = min(-(-longest // PAD_MULTIPLE) * PAD_MULTIPLE, max(self.max_tokens, longest))
        input_ids = torch.full((len(rows), n_tokens), self.tokenizer.pad_token_id or 0, dtype=torch.long)
        attention_mask = torch.zeros((len(rows), n_tokens), dtype=torch.long)
        for i, row in enumerate(rows):
            input_ids[i, : len(row["input_ids"])] = torch.as_tensor(row["input_ids"])
            attention_mask[i, : len(row["input_ids"])] = 1
        labels = torch.tensor([row["labels"] for row in rows], dtype=torch.long)
        return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
