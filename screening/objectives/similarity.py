"""How well each post of a batch finds the posts of its class among all others: what SCL and LCL share."""

import torch
from torch import Tensor
from torch.nn import functional


def compute_contrast(
    features: Tensor,
    labels: Tensor,
    temperature: float,
    *,
    is_normalised: bool = True,
    log_weights: Tensor | None = None,
) -> Tensor:
    """Compute ``−1/|P_i| Σ_{p∈P_i} log( e^{h_i·h_p/τ} / Σ_{k≠i} ω_{ik} e^{h_i·h_k/τ} )`` for every post i.

    ``P_i`` holds the other posts of i's class. ``ω`` is 1 for SCL; for LCL ``ω_{ik} = w_{i,y_k}``.

    Parameters
    ----------
    features : Tensor of shape (n_posts, n_features)
        Representations ``h``; computed with in fp32 whatever they come in.
    labels : Tensor of int64, shape (n_posts,)
    temperature : float
        ``τ``, above 0.
    is_normalised : bool
        Divide every representation by its length first.
    log_weights : Tensor of shape (n_posts, n_classes), optional
        ``log w``, one row per post.

    Returns
    -------
    Tensor of float32, shape (n_posts,)
        Exactly 0, with gradient 0, for a post that is alone in its class.
    """
    # autocast would take the products of similar vectors in bf16, whose 8 bits are all the difference there is
    with torch.autocast(features.device.type, enabled=False):
        vectors = features.float()
        if is_normalised:
            vectors = functional.normalize(vectors, dim=1)
        similarities = vectors @ vectors.T / temperature  # (n_posts, n_posts)
    is_self = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    is_positive = (labels[:, None] == labels[None, :]) & ~is_self
    n_positive = is_positive.sum(dim=1)
    compared = similarities if log_weights is None else similarities + log_weights.float()[:, labels]
    # a post alone in its batch has no others: any finite number will do, since its result is 0 below
    is_left_out = is_self & (len(labels) > 1)
    log_denominator = torch.logsumexp(compared.masked_fill(is_left_out, -torch.inf), dim=1, keepdim=True)
    log_shares = (similarities - log_denominator).masked_fill(~is_positive, 0.0)
    return -log_shares.sum(dim=1) / n_positive.clamp(min=1)
