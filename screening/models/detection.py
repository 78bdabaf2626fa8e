"""A head that says of every token whether it was replaced; a classifier has it in training only."""

from torch import Tensor, nn

DETECTION = "detection_logits"
"""Name of the head among a classifier's training parts, and of the output field it fills."""


class DetectionHead(nn.Module):
    """Two layers with a GELU between them on each token's last hidden state, as ELECTRA's discriminator has.

    Clark et al. 2020, arXiv 2003.10555.
    """

    def __init__(self, n_hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_hidden, n_hidden), nn.GELU(), nn.Linear(n_hidden, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Score hidden states of shape (n_posts, n_tokens, n_hidden); returns logits of shape (n_posts, n_tokens)."""
        return self.layers(hidden).squeeze(-1)
