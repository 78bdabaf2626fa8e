"""Objectives by name and presets by system; a new loss is one file with one ``@register``, imported in ``combined.py``.

Marks: [paper] stated in the paper, [code] read from its authors' code, [ours] our choice where the source is silent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import torch
from torch import Tensor, nn

from screening.config import ObjectiveConfig
from screening.exceptions import ConfigError
from screening.taxonomy import Taxonomy

CONTRASTIVE = ("scl", "lcl", "mccl")
"""Terms that compare the posts of a batch; the ramp applies to them."""
REPRESENTATION = (*CONTRASTIVE, "ce_weighting", "ptd")
"""Terms that need no head of the classifier: the first of two phases trains with them alone."""
WEIGHTED = ("lcl", "ce_weighting")
"""Terms that read the weighting network."""
MOMENTUM = ("mccl",)
"""Terms that read the keys of a momentum network."""
DETECTION = ("ptd",)
"""Terms that read posts with replaced tokens, which the gradient of all other terms chooses."""
OF_TWO_VIEWS = ("r_drop",)
"""Terms that compare a post's two views."""


@dataclass(frozen=True)
class Preset:
    """What a system's training minimises, and how.

    Attributes
    ----------
    weights : dict of str to float
        Weight per term.
    temperature : float
        Of contrastive terms.
    is_normalised : bool
        Whether contrasted representations have length 1.
    n_views : int
        How often a post is read per training step, each time with other dropout.
    projection_size : int
        Numbers of the projection that contrastive terms read; 0 lets them read the representation itself.
    ramp_fraction : float in [0, 1]
        Share of training over which the weight of contrastive terms grows from 0 to its full size.
    weighting_network : {"encoder", "head"}
        Where the terms that need class weights get them.
    schedule : {"joint", "two_phase"}
        All terms together, or first those of the representation, then the others on a frozen encoder.
    layers : {"last", "attentive"}
        Which of the encoder's layers make the representation.
    coordinate_scale : float
        Distance on the circumplex at which continuous contrast takes two posts for neighbours.
    queue_size : int
        Keys of earlier batches it compares with.
    key_momentum : float in [0, 1)
        Share of its weights the momentum network keeps per step.
    perturbed_fraction : float in (0, 1)
        Share of a post's own tokens that token detection replaces.
    is_pretrained : bool
        Whether the system is not itself without a stage on rated sentences before.
    """

    weights: dict[str, float] = field(default_factory=dict)
    temperature: float = 0.3
    is_normalised: bool = True
    n_views: int = 1
    projection_size: int = 0
    ramp_fraction: float = 0.0
    weighting_network: Literal["encoder", "head"] = "encoder"
    schedule: Literal["joint", "two_phase"] = "joint"
    layers: Literal["last", "attentive"] = "last"
    coordinate_scale: float = 0.2
    queue_size: int = 1024
    key_momentum: float = 0.99
    perturbed_fraction: float = 0.15
    is_pretrained: bool = False

    @property
    def needs_weighting_network(self) -> bool:
        """Whether a term reads class weights."""
        return any(name in WEIGHTED for name in self.weights)

    @property
    def needs_momentum_network(self) -> bool:
        """Whether a term reads keys."""
        return any(name in MOMENTUM for name in self.weights)

    @property
    def needs_detection_head(self) -> bool:
        """Whether a term reads posts with replaced tokens."""
        return any(name in DETECTION for name in self.weights)

    @property
    def needs_projection(self) -> bool:
        """Whether a term reads a projection."""
        return self.projection_size > 0 and any(name in CONTRASTIVE for name in self.weights)


PRESETS: dict[str, Preset] = {
    "cross_entropy": Preset({"ce": 1.0}),
    # arXiv 2603.14078: the terms [paper: abstract], their weights [ours]. Its contrastive term is left out [ours]: give
    # scl a weight beside these to have it.
    "cmhl": Preset({"ce": 1.0, "valence_intensity": 0.5, "contradiction": 0.1}),
    # Gunel et al. 2021: (1 − λ) CE + λ SCL with λ .9 and τ .3 on normalised representations [paper]; both terms are
    # means over posts [ours], where the paper sums SCL over them.
    "scl_joint": Preset({"ce": 0.1, "scl": 0.9}),
    # Khosla et al. 2020: SCL, then a linear classifier on the frozen encoder [paper]; one view and no projection, where
    # the paper has two of the one and the other, and τ as Gunel's [ours].
    "scl_two_phase": Preset({"ce": 1.0, "scl": 1.0}, schedule="two_phase"),
    # Suresh and Ong 2021: λ (CE + CE of the weighting network) + (1 − λ) LCL with λ .5, τ .3, two views [code]; some
    # data sets have other numbers there. The second view is another dropout mask [ours]; theirs puts in synonyms.
    "lcl": Preset({"ce": 0.5, "ce_weighting": 0.5, "lcl": 0.5}, n_views=2),
    # Liang et al. 2021: cross-entropy of two views, α 1 [paper]; our ce is a mean where theirs is a sum.
    "r_drop": Preset({"ce": 1.0, "r_drop": 0.5}, n_views=2),
    # Hinton et al. 2015: labels and the mean of several teachers' probabilities; equal weights, no temperature [ours].
    "distillation": Preset({"ce": 0.5, "distillation": 0.5}),
    # arXiv 2603.14075: all layers, and SCL with a growing weight [paper: abstract]; every number [ours].
    "layer_attentive": Preset({"ce": 1.0, "scl": 0.5}, temperature=0.1, ramp_fraction=0.5, layers="attentive"),
    # arXiv 2502.20613: the terms [paper: abstract]; the stage before on rated sentences with both, that they stay on
    # beside cross-entropy, and every formula and number [ours].
    "carl": Preset({"ce": 1.0, "mccl": 0.1, "ptd": 0.1}, is_pretrained=True),
}


def resolve_preset(config: ObjectiveConfig) -> Preset:
    """Look a preset up and put the config's own choices over it; a weight of 0 removes a term.

    Raises
    ------
    ConfigError
        If the preset or a term is unknown, nothing is left to minimise, or a phase has no term.
    """
    if config.preset not in PRESETS:
        message = f"objective.preset: no preset {config.preset!r}; presets are {', '.join(sorted(PRESETS))}"
        raise ConfigError(message)
    preset = PRESETS[config.preset]
    weights = {**preset.weights, **config.weights}
    unknown = sorted(set(weights) - set(OBJECTIVES))
    if unknown:
        message = f"objective.weights: unknown terms {unknown}; terms are {', '.join(sorted(OBJECTIVES))}"
        raise ConfigError(message)
    chosen = {name: value for name, value in config.model_dump().items() if value is not None}
    own = {part.name: chosen[part.name] for part in fields(Preset) if part.name in chosen}
    resolved = replace(preset, **own | {"weights": {name: weight for name, weight in weights.items() if weight != 0}})
    _validate(resolved)
    return resolved


def _validate(preset: Preset) -> None:
    if not preset.weights:
        message = "objective.weights: every term has weight 0, so there is nothing to minimise"
        raise ConfigError(message)
    if all(name in DETECTION for name in preset.weights):
        message = (
            f"objective.weights: {', '.join(preset.weights)} replaces the tokens that the other terms depend on most, "
            "and there is no other term in this training or phase; add one, such as mccl"
        )
        raise ConfigError(message)
    of_two = [name for name in preset.weights if name in OF_TWO_VIEWS]
    if of_two and (preset.n_views != 2 or preset.schedule == "two_phase"):
        message = (
            f"objective.weights: {', '.join(of_two)} compares two views of a post, found n_views {preset.n_views} and "
            f"schedule {preset.schedule}; set objective.n_views=2 and objective.schedule=joint, or its weight to 0"
        )
        raise ConfigError(message)
    is_first = {name in REPRESENTATION for name in preset.weights}
    if preset.schedule == "two_phase" and len(is_first) < 2:
        message = (
            f"objective.schedule: two_phase needs a term of {', '.join(REPRESENTATION)} for the first phase and "
            f"another term for the second, found {', '.join(preset.weights)}; add one or set objective.schedule=joint"
        )
        raise ConfigError(message)


@dataclass(frozen=True)
class ObjectiveContext:
    """What a loss may depend on besides a batch.

    Attributes
    ----------
    taxonomy : Taxonomy
    config : ObjectiveConfig
    class_counts : tuple of int
        Training posts per class, in label order.
    preset : Preset
        The config's preset with the config's own choices over it.
    """

    taxonomy: Taxonomy
    config: ObjectiveConfig
    class_counts: tuple[int, ...]
    preset: Preset


Builder = Callable[[ObjectiveContext], nn.Module]
OBJECTIVES: dict[str, Builder] = {}


def register(name: str) -> Callable[[Builder], Builder]:
    """Register a builder under a name a config can use."""

    def add(builder: Builder) -> Builder:
        OBJECTIVES[name] = builder
        return builder

    return add


def compute_class_weights(counts: tuple[int, ...], mode: str) -> Tensor | None:
    """Compute weights inversely proportional to class counts, with mean 1 over posts.

    Parameters
    ----------
    counts : tuple of int
        Posts per class; a class without posts gets weight 0.
    mode : str
        ``none`` gives ``None``, ``balanced`` gives ``n / (C · n_c)``.

    Returns
    -------
    Tensor of shape (n_classes,) or None
    """
    if mode == "none":
        return None
    n = torch.tensor(counts, dtype=torch.float32)
    return torch.where(n > 0, n.sum() / (len(counts) * n.clamp(min=1)), torch.zeros(()))
