"""From token vectors to one vector per post, and from several layers to one."""

import torch
from torch import Tensor, nn


def compute_cls_pooling(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Take the first token's vector.

    Parameters
    ----------
    hidden : Tensor of shape (n_posts, n_tokens, n_hidden)
    attention_mask : Tensor of shape (n_posts, n_tokens)
        Unused; here so that every pooling has the same signature.

    Returns
    -------
    Tensor of shape (n_posts, n_hidden)
    """
    return hidden[:, 0]


def compute_mean_pooling(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Average the vectors of real tokens; a post without any gives zeros.

    Parameters
    ----------
    hidden : Tensor of shape (n_posts, n_tokens, n_hidden)
    attention_mask : Tensor of shape (n_posts, n_tokens)
        1 for real tokens, 0 for padding.

    Returns
    -------
    Tensor of shape (n_posts, n_hidden)
    """
    weights = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (n_posts, n_tokens, 1)
    return torch.sum(hidden * weights, dim=1) / weights.sum(dim=1).clamp(min=1)


POOLINGS = {"cls": compute_cls_pooling, "mean": compute_mean_pooling}


class LayerAttention(nn.Module):
    """``h = h_L + Σ_l α_l h_l`` over all layers, ``α`` the softmax of learned numbers that start equal.

    That learned softmax weights over all layers are added to the last layer is the paper's [1]_ (abstract). That a
    weight is one number per layer, that word embeddings are no layer, and that layers are added after their tokens are
    pooled (for the mean of tokens the order makes no difference) is ours.

    Parameters
    ----------
    n_layers : int

    References
    ----------
    .. [1] Elgabry, Hamdi, Shaban. Enhancing Mental Health Classification with Layer-Attentive Residuals and Contrastive
       Feature Learning. arXiv 2603.14075, 2026.
    """

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(n_layers))

    def forward(self, last: Tensor, by_layer: Tensor) -> Tensor:
        """Add the weighted mean of all layers to the last one.

        Parameters
        ----------
        last : Tensor of shape (n_posts, n_hidden)
        by_layer : Tensor of shape (n_layers, n_posts, n_hidden)

        Returns
        -------
        Tensor of shape (n_posts, n_hidden)
        """
        weights = torch.softmax(self.scores, dim=0).to(by_layer.dtype)
        return last + torch.tensordot(weights, by_layer, dims=1)
