"""A projection that contrastive losses read instead of the representation; a classifier has it in training only."""

from torch import Tensor, nn


class Projection(nn.Module):
    """Two layers with a ReLU between them, as in Khosla et al. 2020 (arXiv 2004.11362, section 3)."""

    def __init__(self, n_hidden: int, n_projected: int) -> None:
        super().__init__()
        self.n_projected = n_projected
        self.layers = nn.Sequential(nn.Linear(n_hidden, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_projected))

    def forward(self, input_ids: Tensor | None, attention_mask: Tensor | None, pooled: Tensor) -> Tensor:
        """Project representations of shape (n_posts, n_hidden) to (n_posts, n_projected)."""
        return self.layers(pooled)
