"""Contrastive loss on continuous labels: posts are drawn together as far as their places on the circumplex are near.

The task is CARL's (arXiv 2502.20613, abstract: "MCCL", on valence and arousal, with an online and a momentum network).
The formula, and that a batch's own keys are compared too, are ours: the paper's equations were not public to us.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from screening.models.classifier import RiskClassifierOutput
from screening.objectives.registry import ObjectiveContext, register

_LEAST_TRUST = 1e-6  # keeps logarithms and quotients finite where nothing can be believed


def compute_continuous_contrast(
    queries: Tensor,
    keys: Tensor,
    squared_distances: Tensor,
    *,
    temperature: float,
    coordinate_scale: float,
    is_normalised: bool = True,
    key_trust: Tensor | None = None,
) -> Tensor:
    """Compute ``−Σ_j w_ij log( e^{q_i·k_j/τ} / Σ_l e^{q_i·k_l/τ} )``, ``w_ij ∝ c_j e^{−d_ij²/2σ²}`` with sum 1.

    Parameters
    ----------
    queries : Tensor of shape (n_posts, n_features)
        ``q``; computed with in fp32 whatever they come in.
    keys : Tensor of shape (n_keys, n_features)
        ``k``, at least one; they get no gradient.
    squared_distances : Tensor of shape (n_posts, n_keys)
        ``d²`` between the labels of queries and keys.
    temperature : float
        ``τ``, above 0.
    coordinate_scale : float
        ``σ``, above 0. The smaller, the more only the nearest key counts.
    is_normalised : bool
        Divide queries and keys by their length first.
    key_trust : Tensor of shape (n_keys,), optional
        ``c``, in [0, 1]: how far the place of a key's label can be believed. Equally by default. A key of 0 is nobody's
        neighbour, and is still one of those that a query is compared with.

    Returns
    -------
    Tensor of float32, shape (n_posts,)
        One number per query i, at least the entropy of its weights ``w_i``: 0 for one key, ``log n_keys`` for keys that
        are equally far.
    """
    with torch.autocast(queries.device.type, enabled=False):  # see compute_contrast
        vectors, others = queries.float(), keys.detach().float()
        if is_normalised:
            vectors, others = functional.normalize(vectors, dim=1), functional.normalize(others, dim=1)
        log_shares = functional.log_softmax(vectors @ others.T / temperature, dim=1)  # (n_posts, n_keys)
        nearness = -squared_distances.float() / (2 * coordinate_scale**2)
        if key_trust is not None:
            nearness = nearness + key_trust.float().clamp(min=_LEAST_TRUST).log()
        weights = functional.softmax(nearness, dim=1)
        return -(weights * log_shares).sum(dim=1)


class ContinuousContrast(nn.Module):
    """``L_MCCL``: the mean of :func:`compute_continuous_contrast` over the batch, each query weighted as its label is.

    Keys are what the momentum network makes of the batch itself (a post's own key, at distance 0, is one) and, in
    training, of earlier batches. An evaluation compares within each batch alone: its losses would otherwise grow with
    the queue and could not be compared between epochs.

    Parameters
    ----------
    coordinates : Tensor of shape (n_classes, 2) or None
        Valence and arousal of each class; ``None`` where labels are coordinates themselves.
    temperature, coordinate_scale, is_normalised
        See :func:`compute_continuous_contrast`.
    coordinate_weight : Tensor of shape (n_classes,), optional
        In [0, 1], lower where a class's coordinates are uncertain: a post of such a class counts less, as a query and
        as a neighbour. All alike by default. A batch without any weight has a loss of 0.
    """

    coordinates: Tensor | None
    coordinate_weight: Tensor | None

    def __init__(
        self,
        coordinates: Tensor | None,
        temperature: float,
        coordinate_scale: float,
        *,
        is_normalised: bool = True,
        coordinate_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("coordinates", coordinates, persistent=False)
        self.register_buffer("coordinate_weight", coordinate_weight, persistent=False)
        self.temperature = temperature
        self.coordinate_scale = coordinate_scale
        self.is_normalised = is_normalised

    def forward(self, outputs: RiskClassifierOutput, labels: Tensor) -> Tensor:
        """Compute the loss of a batch; labels have shape (n_posts,), or (n_posts, 2) where they are coordinates."""
        keys, key_labels = outputs.momentum_keys.float(), labels
        if outputs.queued_keys is not None and outputs.queued_labels is not None:
            keys = torch.cat([keys, outputs.queued_keys.float()])  # (n_posts + n_queued, n_features)
            key_labels = torch.cat([labels, outputs.queued_labels])
        places, key_places = self._locate(labels), self._locate(key_labels)
        squared_distances = (places[:, None] - key_places[None]).square().sum(dim=2)  # (n_posts, n_keys)
        contrast = compute_continuous_contrast(
            outputs.contrasted,
            keys,
            squared_distances,
            temperature=self.temperature,
            coordinate_scale=self.coordinate_scale,
            is_normalised=self.is_normalised,
            key_trust=None if self.coordinate_weight is None else self.coordinate_weight[key_labels],
        )
        if self.coordinate_weight is None:
            return contrast.mean()
        trust = self.coordinate_weight[labels]
        return (trust * contrast).sum() / trust.sum().clamp(min=_LEAST_TRUST)

    def _locate(self, labels: Tensor) -> Tensor:
        return labels if self.coordinates is None else self.coordinates[labels]


@register("mccl")
def build_continuous_contrast(context: ObjectiveContext) -> ContinuousContrast:
    """Build from a config, with the labels' places in the taxonomy."""
    preset = context.preset
    labels = context.taxonomy.labels
    return ContinuousContrast(
        torch.tensor([[label.valence, label.arousal] for label in labels]),
        preset.temperature,
        preset.coordinate_scale,
        is_normalised=preset.is_normalised,
        coordinate_weight=torch.tensor([label.coordinate_weight for label in labels]),
    )
