"""From a run's results to the page a template can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.checks import run_checks, summarise_checks
from reports.intended_use import SYNTHETIC_BANNER
from reports.page import Page
from reports.sections.answer import build_answer, build_cards
from reports.sections.provenance import build_provenance
from reports.sections.reading_order import build_sections

if TYPE_CHECKING:
    from reports.results import RunResults


def build_page(results: RunResults) -> Page:
    """Compute every table, check and picture of a report."""
    checks = run_checks(results)
    created_at = str(results.run_info.get("created_at", ""))[:16].replace("T", " ")
    return Page(
        run_name=results.config.name,
        created_at=created_at,
        title=f"Screening report: {results.config.name}",
        heading="How well does this screener find the posts it promises to find?",
        banner=SYNTHETIC_BANNER if results.is_synthetic else "",
        answer=build_answer(results),
        cards=build_cards(results),
        label_meaning=results.taxonomy.label_meaning,
        crisis_resources=results.config.report.crisis_resources,
        checks_summary=summarise_checks(checks),
        checks=checks,
        sections=build_sections(results),
        provenance=build_provenance(results),
    )
