"""The parts an objective needs beside the classifier while it is trained."""

from typing import Any

from torch import Tensor, nn

from screening.config import ModelConfig
from screening.models.detection import DETECTION, DetectionHead
from screening.models.momentum import KEYS, MomentumNetwork
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
    if preset.needs_detection_head:
        parts[DETECTION] = DetectionHead(n_hidden)
    return parts


def attach_training_parts(classifier: Any, preset: Preset, model: ModelConfig, label: Tensor) -> None:
    """Give a classifier all parts it needs in training; the momentum network comes last, since it copies what is there.

    Parameters
    ----------
    classifier : RiskClassifier
    preset, model
        See :func:`build_training_parts`.
    label : Tensor
        A label as posts have it, see :class:`~screening.models.momentum.KeyQueue`.
    """
    head = classifier.class_head
    classifier.training_parts.update(build_training_parts(preset, model, head.in_features, head.out_features))
    if preset.needs_momentum_network:
        network = MomentumNetwork(classifier, preset.key_momentum, preset.queue_size, label)
        classifier.training_parts[KEYS] = network
