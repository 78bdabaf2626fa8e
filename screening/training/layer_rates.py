"""Layer-wise learning rates: the lower a layer of the encoder, the less it is changed."""

import re
from typing import Any

from torch import nn

from screening.exceptions import ConfigError

_LAYER = re.compile(r"^encoder\..*\blayers?\.(\d+)\.")


def compute_depths(model: nn.Module) -> dict[str, int]:
    """Count how many steps each weight lies below the heads.

    Parameters
    ----------
    model : RiskClassifier

    Returns
    -------
    dict of str to int
        By parameter name: 0 for what is not in the encoder, 1 for its top layer and for what belongs to no layer,
        counting down to the word embeddings.
    """
    names = [name for name, _ in model.named_parameters()]
    found = {name: _LAYER.match(name) for name in names}
    n_layers = 1 + max((int(match[1]) for match in found.values() if match), default=-1)

    def compute_depth(name: str) -> int:
        match = found[name]
        if match:
            return n_layers - int(match[1])
        if not name.startswith("encoder."):
            return 0
        return n_layers + 1 if "embed" in name else 1

    return {name: compute_depth(name) for name in names}


def split_by_depth(groups: list[dict[str, Any]], model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Split an optimiser's groups so that weights ``d`` steps below the heads learn at ``decay ** d`` of the rate.

    Parameters
    ----------
    groups : list of dict
        With ``params`` and ``lr``.
    model : RiskClassifier
    decay : float in (0, 1]

    Returns
    -------
    list of dict
        Same settings otherwise; at most as many groups per given one as there are depths, so that the fused kernel
        still updates many weights at once.

    Raises
    ------
    ConfigError
        If no weight of the encoder names its layer, as in recurrent encoders and ALBERT.

    References
    ----------
    .. [1] Howard and Ruder. Universal Language Model Fine-tuning for Text Classification. ACL 2018, arXiv 1801.06146
       (discriminative fine-tuning).
    """
    depths = compute_depths(model)
    if not any(_LAYER.match(name) for name in depths):
        message = "this encoder has no stack of layers to tell apart; set training.layer_decay=null"
        raise ConfigError(message)
    depth_by_weight = {id(weight): depths[name] for name, weight in model.named_parameters()}
    return [
        {**group, "params": weights, "lr": group["lr"] * decay**depth}
        for group in groups
        for depth in sorted(set(depths.values()))
        if (weights := [weight for weight in group["params"] if depth_by_weight[id(weight)] == depth])
    ]
