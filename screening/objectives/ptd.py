"""Per-token detection: some tokens of a post are replaced, and the encoder learns to say which.

The task, and that gradient saliency picks the tokens, are CARL's (arXiv 2502.20613, abstract: "PTD"); the formulas, the
share of tokens and the draw of replacements are ours: the paper's equations were not public to us.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.gathering import NOT_COUNTED
from screening.objectives.registry import ObjectiveContext, register


class PerTokenDetection(nn.Module):
    """``L_PTD``: mean binary cross-entropy of "was this token replaced" over the own tokens of all posts of a batch."""

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch; 0 where no post has a token of its own."""
        targets = outputs.detection_targets  # (n_posts, n_tokens)
        is_own = targets != NOT_COUNTED
        losses = functional.binary_cross_entropy_with_logits(
            outputs.detection_logits.float(), targets.clamp(min=0).float(), reduction="none"
        )
        return (losses * is_own).sum() / is_own.sum().clamp(min=1)


@register("ptd")
def build_per_token_detection(context: ObjectiveContext) -> PerTokenDetection:
    """Build from a config."""
    return PerTokenDetection()


def choose_tokens(saliency: Tensor, is_own: Tensor, fraction: float) -> Tensor:
    """Choose the share of each post's own tokens with the highest saliency, rounded, and at least one.

    Parameters
    ----------
    saliency : Tensor of shape (n_posts, n_tokens)
    is_own : Tensor of bool, shape (n_posts, n_tokens)
        Neither padding nor a special token.
    fraction : float in (0, 1)

    Returns
    -------
    Tensor of bool, shape (n_posts, n_tokens)
        Among equals the earlier token is chosen; nothing in a post without own tokens.

    Examples
    --------
    >>> choose_tokens(torch.tensor([[9.0, 1.0, 3.0, 2.0]]), torch.tensor([[False, True, True, True]]), 0.3).tolist()
    [[False, False, True, False]]
    """
    n_own = is_own.sum(dim=1, keepdim=True)
    n_chosen = torch.minimum((fraction * n_own).round().long().clamp(min=1), n_own)
    order = saliency.masked_fill(~is_own, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return (order.argsort(dim=1) < n_chosen) & is_own


def replace_tokens(
    token_ids: Tensor, is_chosen: Tensor, counts: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Draw another token for each chosen one, as often as tokens occur in training posts, and never the token itself.

    Parameters
    ----------
    token_ids : Tensor of int64, shape (n_posts, n_tokens)
    is_chosen : Tensor of bool, shape (n_posts, n_tokens)
    counts : Tensor of int64, shape (n_vocabulary,)
        Occurrences; 0 for tokens never to be drawn.
    generator : torch.Generator, optional
        By default torch's own, whose state a checkpoint keeps.

    Returns
    -------
    Tensor of int64, shape (n_posts, n_tokens)
        A token stays what it is if no other one has occurred.
    """
    chosen = token_ids[is_chosen]
    cumulative = counts.cumsum(0)
    n_own, first = counts[chosen], cumulative[chosen] - counts[chosen]
    n_others = cumulative[-1] - n_own
    # a place among all occurrences of other tokens: those from the token's own first one on are moved behind its last
    device = counts.device if generator is None else generator.device
    uniform = torch.rand(len(chosen), dtype=torch.float64, generator=generator, device=device).to(counts.device)
    places = torch.minimum((uniform * n_others).long(), n_others - 1)
    places = places + torch.where(places >= first, n_own, 0)
    drawn = torch.searchsorted(cumulative, places, right=True)
    replaced = token_ids.clone()
    replaced[is_chosen] = torch.where(n_others > 0, drawn, chosen)
    return replaced
