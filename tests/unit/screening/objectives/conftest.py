"""The six posts of three classes on which the contrastive losses were worked out elsewhere."""

from dataclasses import dataclass

import pytest
import torch

from screening.models.classifier import RiskClassifierOutput


@dataclass(frozen=True)
class Batch:
    """Representations, weighting logits and labels."""

    features: torch.Tensor
    weighting_logits: torch.Tensor
    labels: torch.Tensor

    def outputs(self) -> RiskClassifierOutput:
        """The same as a classifier would hand them over."""
        n = len(self.labels)
        return RiskClassifierOutput(
            logits=torch.zeros(n, 3),
            valence=torch.zeros(n),
            intensity=torch.zeros(n),
            pooled=self.features,
            weighting_logits=self.weighting_logits,
        )


@pytest.fixture
def worked_batch() -> Batch:
    rows = [[1, 2, 0, -1], [2, 1, 0, 0], [0, 1, 3, 1], [-1, 0, 2, 1], [0, -2, 1, 2], [1, -1, 0, 3]]
    logits = [[1, 0.5, -0.5], [0.2, 0.1, 0], [-1, 2, 0.3], [0, 0.7, 0.7], [0.4, -0.6, 1.1], [-0.2, 0.2, 0.9]]
    return Batch(torch.tensor(rows, dtype=torch.float32), torch.tensor(logits), torch.tensor([0, 0, 1, 1, 2, 2]))


@pytest.fixture
def random_batch() -> Batch:
    """Eleven posts of four classes, one of them alone in its class."""
    generator = torch.Generator().manual_seed(5)
    features, logits = torch.randn(11, 7, generator=generator), torch.randn(11, 4, generator=generator)
    return Batch(features, logits, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 3, 2, 0]))
