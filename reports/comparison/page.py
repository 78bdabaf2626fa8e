"""A comparison of two runs as one page and one JSON file, made from the same parts as a report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.checks import SYMBOLS
from reports.comparison.promotion import is_met, judge_promotion, state_verdict
from reports.comparison.tables import build_tables
from reports.intended_use import SYNTHETIC_BANNER
from reports.page import Fact, Page, Section
from reports.render import build_json, render_html
from reports.sections.provenance import build_provenance
from reports.tables import format_value
from screening.exceptions import ConfigError
from screening.whole_writes import write_folder_whole

if TYPE_CHECKING:
    from pathlib import Path

    from reports.checks import Check
    from reports.comparison.run_pair import RunPair
    from reports.tables import Kind
    from screening.types import Estimate

HTML_NAME, JSON_NAME = "comparison.html", "comparison.json"


@dataclass(frozen=True)
class Comparison:
    """What a comparison came to: the page, every rule with its outcome, and the verdict in words."""

    page: Page
    rules: tuple[Check, ...]
    verdict: str

    @property
    def is_met(self) -> bool:
        """Whether no rule speaks against the challenger."""
        return is_met(self.rules)


def compare(pair: RunPair, *, n_runs: int = 2) -> Comparison:
    """Apply the gate and build the page; ``n_runs`` runs are known to have read this test split."""
    order = list(SYMBOLS)
    rules = judge_promotion(pair)
    verdict = state_verdict(pair, rules, n_runs)
    page = _build_page(pair, tuple(sorted(rules, key=lambda rule: (order.index(rule.outcome), rule.code))), verdict)
    return Comparison(page, rules, verdict)


def validate_comparison_folder(folder: Path) -> None:
    """Refuse a place that holds anything but an earlier comparison: writing replaces the whole folder.

    Raises
    ------
    ConfigError
        If it is a file, or a folder with other files in it.
    """
    if not folder.exists():
        return
    others = (
        [folder] if folder.is_file() else [path for path in folder.iterdir() if path.name not in (HTML_NAME, JSON_NAME)]
    )
    if others:
        message = (
            f"--out expects a new folder, or one with an earlier comparison; found {len(others)} other files at "
            f"{folder}; name another"
        )
        raise ConfigError(message)


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.html`` and ``comparison.json``, both or neither; an earlier comparison is replaced."""
    validate_comparison_folder(folder)
    content = build_json(comparison.page) | {"is_met": comparison.is_met, "verdict": comparison.verdict}
    with write_folder_whole(folder) as aside:
        (aside / HTML_NAME).write_text(render_html(comparison.page), encoding="utf-8")
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        (aside / JSON_NAME).write_text(text + "\n", encoding="utf-8")
    return folder / HTML_NAME


def _build_page(pair: RunPair, rules: tuple[Check, ...], verdict: str) -> Page:
    champion, challenger = pair.champion, pair.challenger
    words = (
        f"Champion: {champion.config.name}. Challenger: {challenger.config.name}. Every difference is challenger less "
        "champion on the same posts, resampled or counted together."
    )
    return Page(
        run_name=f"{challenger.config.name} against {champion.config.name}",
        created_at="",
        title=f"Comparison: {challenger.config.name} against {champion.config.name}",
        heading="May the challenger take the champion's place?",
        banner=SYNTHETIC_BANNER if champion.is_synthetic or challenger.is_synthetic else "",
        answer=(verdict, words),
        cards=_build_cards(pair),
        label_meaning=champion.taxonomy.label_meaning,
        crisis_resources=champion.config.report.crisis_resources,
        checks_summary=_summarise(rules),
        checks=rules,
        sections=(Section("comparison", "Side by side", tables=build_tables(pair)),),
        provenance=tuple(
            Fact(f"{name}: {fact.heading}", fact.value, fact.details)
            for name, run in (("Champion", champion), ("Challenger", challenger))
            for fact in build_provenance(run)
        ),
    )


def _build_cards(pair: RunPair) -> tuple[Fact, ...]:
    cards = []
    for target in pair.targets:
        recall, alerts = pair.compare_recall(target).difference, pair.compare_alerts(target)
        cards.append(_make_card(f"Recall, {target.name}, points", recall, "percent_points", "positives"))
        cards.append(_make_card(f"Alerts per 1,000, {target.name}", alerts, "signed", "posts"))
    return tuple(cards)


def _make_card(heading: str, difference: Estimate, kind: Kind, counted: str) -> Fact:
    n = f"n = {difference.n_samples:,} {counted}, test"
    if difference.interval is None:
        return Fact(heading, format_value(difference.value, kind), (n,))
    low, high = (format_value(end, kind) for end in (difference.interval.low, difference.interval.high))
    return Fact(heading, format_value(difference.value, kind), (f"95% interval {low} to {high}", n))


def _summarise(rules: tuple[Check, ...]) -> str:
    counts = {outcome: sum(rule.outcome == outcome for rule in rules) for outcome in SYMBOLS}
    words = [f"{n} {outcome.replace('_', ' ')}" for outcome, n in counts.items() if n]
    return f"{len(rules)} rules of the gate: {', '.join(words)}."
