"""A classifier so simple that its attributions can be written down."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn


class MeanOfWords(nn.Module):
    """Embedding → mean over real tokens → linear: every token's share of a score is known in closed form."""

    def __init__(self, n_tokens_known: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_labels=2)
        generator = torch.Generator().manual_seed(3)
        self.embedding = nn.Embedding(n_tokens_known, 4)
        self.embedding.weight.data = torch.randn(n_tokens_known, 4, generator=generator)
        self.linear = nn.Linear(4, 2)
        self.linear.weight.data = torch.randn(2, 4, generator=generator)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        weights = attention_mask.unsqueeze(-1).float()
        mean = (self.embedding(input_ids) * weights).sum(dim=1) / weights.sum(dim=1)
        nothing = torch.zeros(len(mean))
        return SimpleNamespace(logits=self.linear(mean), valence=nothing, intensity=nothing)


@pytest.fixture
def mean_of_words(bert_tokenizer: Any) -> MeanOfWords:
    return MeanOfWords(len(bert_tokenizer))
