"""From token vectors to one vector per post."""

import torch
from torch import Tensor


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
