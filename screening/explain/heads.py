"""The scores that can be explained: a risk target's log-odds, valence, intensity."""

from collections.abc import Callable
from typing import Any

import torch

from screening.taxonomy import RiskTarget, Taxonomy

ScoreFunction = Callable[[Any], torch.Tensor]
SCALES = ("valence", "intensity")


def list_heads(taxonomy: Taxonomy) -> tuple[str, ...]:
    """Names of all heads, the most urgent risk target first.

    Examples
    --------
    >>> from screening.taxonomy import load_taxonomy
    >>> list_heads(load_taxonomy("mh5"))
    ('class:suicidewatch', 'class:any_risk', 'valence', 'intensity')
    """
    return (*(f"class:{target.name}" for target in taxonomy.targets), *SCALES)


def build_score(head: str, taxonomy: Taxonomy, temperature: float = 1.0) -> ScoreFunction:
    r"""Build the function of a classifier's output that an explanation is about.

    Parameters
    ----------
    head : str
        One of :func:`list_heads`.
    taxonomy : Taxonomy
    temperature : float
        The bundle's. The explained score is then the log-odds of exactly the score a threshold is compared with.

    Returns
    -------
    callable
        From a classifier's output to a tensor of shape (n_posts,).

    Raises
    ------
    ValueError
        If the head is unknown, or the target holds every label (its score is always 1: nothing to explain).

    Notes
    -----
    For a target T, :math:`F = \log\frac{\sum_{c \in T} p_c}{1 - \sum_{c \in T} p_c}` with
    :math:`p = \mathrm{softmax}(\mathrm{logits} / \mathrm{temperature})`, computed from logits. Log-odds rather than
    probability: a probability near 0 or 1 is flat, and every word would seem to weigh nothing. Valence and intensity
    are explained in their own unit.
    """
    if head in SCALES:
        return lambda output: getattr(output, head).float()
    targets = {f"class:{target.name}": target for target in taxonomy.targets}
    if head not in targets:
        message = f"head must be one of {list(list_heads(taxonomy))}, found {head!r}"
        raise ValueError(message)
    return _build_log_odds(targets[head], taxonomy, temperature)


def _build_log_odds(target: RiskTarget, taxonomy: Taxonomy, temperature: float) -> ScoreFunction:
    inside = taxonomy.target_indices(target)
    outside = [i for i in range(len(taxonomy.names)) if i not in inside]
    if not outside:
        message = f"risk target {target.name!r} holds every label, so its score is always 1; explain another target"
        raise ValueError(message)

    def compute_log_odds(output: Any) -> torch.Tensor:
        scaled = output.logits.float() / temperature  # (n_posts, n_classes)
        return torch.logsumexp(scaled[:, inside], dim=1) - torch.logsumexp(scaled[:, outside], dim=1)

    return compute_log_odds
