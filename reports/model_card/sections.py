"""The generated sections of a model card as Markdown, from the same tables as the report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reports import intended_use
from reports.checks import run_checks, summarise_checks
from reports.model_card.markdown import escape_markdown, write_facts, write_list, write_table
from reports.page import Fact
from reports.sections.answer import build_answer
from reports.sections.audit import build_audit_section
from reports.sections.calibration import build_calibration_summary
from reports.sections.caveats import build_caveats
from reports.sections.classification import build_comparison, build_per_class, build_summary
from reports.sections.comparators import build_promise_comparison
from reports.sections.cost import build_alerts, build_deployment
from reports.sections.data_flow import build_flow, build_splits
from reports.sections.explanations import build_explanation_section
from reports.sections.provenance import build_provenance
from reports.sections.recall import build_performance, describe_promises
from reports.sections.robustness import build_robustness_section
from reports.sections.subgroups import build_subgroups
from reports.sections.thresholds import build_operating_points, build_triage_counts
from reports.sections.tripod import STATES, answer_items
from reports.sections.tripod_items import ITEMS
from reports.sections.validation_elsewhere import build_validation_section

if TYPE_CHECKING:
    from reports.page import Section
    from reports.results import RunResults
    from reports.tables import Table

CARD_FORMAT = 8
NOT_EXPLAINED = "No flagged post was explained in this run: `screening explain RUN` does it."
NOTHING_TO_AUDIT = "Nothing is promised, so there is nothing an audit could confirm."


def build_card_sections(results: RunResults) -> dict[str, str]:
    """Write every generated section as Markdown, by the name between its markers."""
    return {
        "summary": _write_summary(results),
        "not_for": write_list(intended_use.NOT_FOR),
        "intended_use": write_list(intended_use.PURPOSE)
        + f"\n{intended_use.DECISION_FLAGGED}\n\n{intended_use.DECISION_NOT_FLAGGED}\n",
        "labels": _write_labels(results),
        "data": _write_tables(build_flow(results), build_splits(results)),
        "training": write_facts((*build_provenance(results), Fact("Card format", str(CARD_FORMAT)))),
        "promise": _write_promise(results),
        "checks": _write_checks(results),
        "results": _write_tables(*_choose_results(results)),
        "robustness": _write_section(build_robustness_section(results), ""),
        "external": _write_section(build_validation_section(results), ""),
        "explanations": _write_section(build_explanation_section(results), NOT_EXPLAINED),
        "audit": _write_section(build_audit_section(results), NOTHING_TO_AUDIT),
        "caveats": write_list(build_caveats(results)),
        "tripod": _write_tripod(results),
        "crisis": write_list(results.config.report.crisis_resources),
    }


def _choose_results(results: RunResults) -> tuple[Table, ...]:
    comparison = (build_promise_comparison(results), build_comparison(results)) if results.comparators else ()
    return (
        build_performance(results),
        build_alerts(results),
        *((build_triage_counts(results),) if results.operating_points else ()),
        build_deployment(results),
        build_summary(results),
        *comparison,
        build_per_class(results),
        build_calibration_summary(results),
        build_subgroups(results),
    )


def _write_tables(*tables: Table) -> str:
    return "".join(write_table(table) for table in tables)


def _write_section(section: Section | None, otherwise: str) -> str:
    """Write a section's words and shown tables; ``otherwise`` where the run has no such section."""
    if section is None:
        return f"{otherwise}\n"
    words = "".join(f"{escape_markdown(paragraph)}\n\n" for paragraph in section.words)
    points = f"{section.points_heading}:\n\n{write_list(section.points)}" if section.points else ""
    return words + _write_tables(*section.tables) + points


def _write_summary(results: RunResults) -> str:
    banner = f"> **{intended_use.SYNTHETIC_BANNER}**\n\n" if results.is_synthetic else ""
    return banner + "\n\n".join(escape_markdown(sentence) for sentence in build_answer(results)) + "\n"


def _write_labels(results: RunResults) -> str:
    lines = [
        f"{label.name}: {'counts as risk' if label.risk else 'does not count as risk'}"
        for label in results.taxonomy.labels
    ]
    return f"{escape_markdown(results.taxonomy.label_meaning)}\n\n{write_list(lines)}"


def _write_promise(results: RunResults) -> str:
    promised = "\n\n".join(describe_promises(results))
    if not results.operating_points:
        return f"{promised}\n"
    sentences = dict.fromkeys(sentence for point in results.operating_points for sentence in point.assumptions)
    table = write_table(build_operating_points(results))
    return f"{promised}\n\n{table}The promise rests on this:\n\n{write_list(sentences)}"


def _write_checks(results: RunResults) -> str:
    """Summarise the checks and list those that did not pass."""
    checks = run_checks(results)
    left = [check for check in checks if check.outcome not in ("pass", "not_applicable")]
    lines = [f"{check.code} {check.title}, {check.outcome.replace('_', ' ')}: {check.sentence}" for check in left]
    return f"{summarise_checks(checks)}\n\n{write_list(lines)}"


def _write_tripod(results: RunResults) -> str:
    """Count the states of the items and list those that are not answered; the report has the whole table."""
    answers = answer_items(results, {"alternatives"})  # where each is answered is not said here
    counts = Counter(answer.state for answer in answers.values())
    said = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    left = [
        f"{number}, {ITEMS[number]}: {answer.words}"
        for number, answer in answers.items()
        if answer.state == "not answered"
    ]
    where = "Where each is answered stands in the report."
    return f"Of {len(answers)} items: {said}. {where} Not answered:\n\n{write_list(left)}"
