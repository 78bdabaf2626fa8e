"""Attention whose gradient is made of matrix products: PyTorch's own takes up to ten times as long in bf16 on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

USUAL = "sdpa"
OURS = "sdpa_with_matrix_gradient"
MAX_SHARES = 2**26  # of a layer's backward pass, 2 bytes each, four times over: 512 MiB


class MatrixGradientAttention(torch.autograd.Function):
    """``softmax(s Q Kᵀ) V`` as PyTorch computes it; for the gradient the probabilities are computed again.

    No more is kept between the passes than PyTorch keeps: nothing of shape (n_tokens, n_tokens). The backward pass of a
    layer needs a few arrays of that shape.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        """Attend.

        Parameters
        ----------
        query, key, value : Tensor of shape (n_posts, n_heads, n_tokens, n_features)
        mask : Tensor of bool, shape (n_posts, 1, n_tokens, n_tokens), optional
            Where a token (row) may look at another (column); one that may look at none gets 0.
        scale : float

        Returns
        -------
        Tensor of shape (n_posts, n_heads, n_tokens, n_features)
        """
        ctx.save_for_backward(query, key, value, mask)
        ctx.scale = scale
        return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of query, key and value."""
        query, key, value, mask = ctx.saved_tensors
        scaled = query * ctx.scale
        scores = scaled @ key.transpose(-1, -2)
        if mask is not None:
            scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
        shares = scores.softmax(dim=-1)
        if mask is not None and (is_blind := ~mask.any(dim=-1, keepdim=True)).any():  # padding, in a window of its own
            shares.masked_fill_(is_blind, 0)
        of_shares = gradient @ value.transpose(-1, -2)
        of_scores = torch._softmax_backward_data(of_shares, shares, -1, shares.dtype)
        return (
            of_scores @ key * ctx.scale,
            of_scores.transpose(-1, -2) @ scaled,
            shares.transpose(-1, -2) @ gradient,
            None,
            None,
        )


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attend as ``transformers`` asks for it: our gradient where it is faster, PyTorch's everywhere else."""
    is_slow = query.dtype == torch.bfloat16 and query.device.type == "cpu" and query.requires_grad
    is_causal = getattr(module, "is_causal", True) or others.get("is_causal")
    is_plain = dropout == 0 and key.shape == query.shape and not is_causal
    is_plain &= all(others.get(name) is None for name in ("position_bias", "softcap", "cache"))
    is_understood = attention_mask is None or attention_mask.dtype == torch.bool
    is_small = query.shape[:3].numel() * query.shape[2] <= MAX_SHARES
    if not (is_slow and is_plain and is_understood and is_small):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    output = MatrixGradientAttention.apply(query, key, value, attention_mask, scale)
    return output.transpose(1, 2).contiguous(), None


AttentionInterface.register(OURS, attend)
AttentionMaskInterface.register(OURS, sdpa_mask)


@contextmanager
def matrix_gradient(classifier: PreTrainedModel) -> Iterator[None]:
    """Let all encoders of a classifier, training parts included, take their gradients this way in a ``with`` block."""
    models = [part for part in classifier.modules() if isinstance(part, PreTrainedModel)]
    encoders = [part for part in models if not isinstance(part, type(classifier))]
    usual = [part for part in encoders if part.config._attn_implementation == USUAL]
    for part in usual:
        part.set_attn_implementation(OURS)
    try:
        yield
    finally:
        for part in usual:
            part.set_attn_implementation(USUAL)
