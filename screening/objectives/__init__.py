"""What training minimises: one file per loss, a registry by name, presets that name the papers' systems."""

from screening.objectives.combined import CombinedObjective, build_objective
from screening.objectives.registry import OBJECTIVES, PRESETS, Preset, resolve_preset
from screening.objectives.training_parts import attach_training_parts, build_training_parts

__all__ = [
    "OBJECTIVES",
    "PRESETS",
    "CombinedObjective",
    "Preset",
    "attach_training_parts",
    "build_objective",
    "build_training_parts",
    "resolve_preset",
]
