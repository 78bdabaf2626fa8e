"""The parts an objective needs beside the classifier while it is trained."""

from torch import nn

from screening.config import ModelConfig
from screening.models.projection import Projection
from screening.models.weighting_network import WeightingHead, load_weighting_encoder
from screening.objectives.registry import Preset


def build_training_parts(preset: Preset, model: ModelConfig, n_hidden: int, n_classes: int) -> dict[str, nn.Module]:
    """Build what a preset's terms read, by the name of the output field each part fills.

    Parameters
    ----------
    preset : Preset
    model : ModelConfig
        A second encoder is loaded by its name.
    n_hidden, n_classes : int
        Sizes of the classifier's representation and of its class head.

    Returns
    -------
    dict of str to nn.Module
        Empty for objectives that read the classifier's heads only.
    """
    parts: dict[str, nn.Module] = {}
    if preset.needs_projection:
        parts["projected"] = Projection(n_hidden, preset.projection_size)
    if preset.needs_weighting_network and preset.weighting_network == "head":
        parts["weighting_logits"] = WeightingHead(n_hidden, n_classes)
    elif preset.needs_weighting_network:
        parts["weighting_logits"] = load_weighting_encoder(
            model.encoder, n_classes, pooling=model.pooling, dropout=model.dropout
        )
    return parts
