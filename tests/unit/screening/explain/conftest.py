"""A classifier so simple that its attributions can be written down."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from screening.models.baseline import TfidfBaseline, list_terms


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


@pytest.fixture(scope="session")
def build_word_model() -> Callable[..., TfidfBaseline]:
    """A function that builds a word model of given terms, each with its coefficients by class, all equally rare."""

    def build(coefficients: dict[str, tuple[float, ...]], intercept: tuple[float, ...] = (0.25, -0.5)) -> TfidfBaseline:
        digests = b"".join(list_terms(term)[-1] for term in coefficients)
        return TfidfBaseline(
            np.frombuffer(digests, dtype=np.uint8).reshape(-1, 8),
            np.ones(len(coefficients)),
            np.array(list(coefficients.values())).T,
            np.array(intercept),
        )

    return build


@pytest.fixture(scope="session")
def fitted_words() -> TfidfBaseline:
    """A word model of five classes, fitted on a few posts of the words that the tokenizers know."""
    rows = ["i feel so tired", "no sleep tonight", "my dog is happy", "tired today so tired", "happy tonight no dog"]
    texts = [f"{row} {extra}" for row in rows for extra in ("today", "so so", "sleep", "my feel", "is")]
    return TfidfBaseline.fit(texts, np.repeat(np.arange(5), 5), 5, seed=0)
