"""The sections of a report in reading order; each is built in the module that makes its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.page import Section
from reports.sections.alternatives import build_alternatives_section
from reports.sections.audit import build_audit_section
from reports.sections.calibration import build_calibration_section
from reports.sections.cascade import build_cascade_section
from reports.sections.caveats import build_caveats
from reports.sections.classification import build_classification_section
from reports.sections.comparators import build_comparator_section
from reports.sections.cost import build_cost_section
from reports.sections.data_flow import build_data_section
from reports.sections.decision import build_decision_section
from reports.sections.errors import build_error_section
from reports.sections.explanations import build_explanation_section
from reports.sections.other_thresholds import build_other_threshold_section
from reports.sections.recall import build_recall_section
from reports.sections.robustness import build_robustness_section
from reports.sections.subgroups import build_subgroup_section
from reports.sections.training import build_training_section
from reports.sections.tripod import build_tripod_section
from reports.sections.validation_elsewhere import build_validation_section

if TYPE_CHECKING:
    from reports.results import RunResults


def build_sections(results: RunResults) -> tuple[Section, ...]:
    """Build every section that has something to show."""
    sections = (
        build_recall_section(results),
        build_alternatives_section(results),
        build_cost_section(results),
        build_cascade_section(results),
        build_other_threshold_section(results),
        build_decision_section(results),
        build_calibration_section(results),
        build_comparator_section(results),
        build_classification_section(results),
        build_subgroup_section(results),
        build_error_section(results),
        build_robustness_section(results),
        build_validation_section(results),
        build_explanation_section(results),
        build_audit_section(results),
        build_data_section(results),
        build_training_section(results),
        Section("caveats", "What these numbers do not say", points=build_caveats(results)),
    )
    shown = tuple(section for section in sections if section is not None)
    return (*shown, build_tripod_section(results, shown))
