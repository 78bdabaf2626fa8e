"""What training minimises: one file per loss, a registry by name, presets that name the papers' systems."""

from screening.objectives.combined import CombinedObjective, build_objective
from screening.objectives.registry import OBJECTIVES, PRESETS

__all__ = ["OBJECTIVES", "PRESETS", "CombinedObjective", "build_objective"]
