"""One numbered check: its code, how much depends on it, one of six outcomes, and one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from screening.types import Record

if TYPE_CHECKING:
    from reports.results import RunResults

Outcome = Literal["pass", "notice", "warn", "fail", "not_applicable", "not_measured"]
Severity = Literal["critical", "major", "minor"]
SYMBOLS: dict[Outcome, str] = {
    "fail": "✕", "warn": "!", "notice": "i", "pass": "✓", "not_measured": "?", "not_applicable": "–",
}  # fmt: skip


class Check(Record):
    """One check of one run: its number, how much depends on it, what came out, and one sentence."""

    code: str
    title: str
    severity: Severity
    outcome: Outcome
    sentence: str

    @property
    def symbol(self) -> str:
        """A sign beside the colour, for those who do not see the colour."""
        return SYMBOLS[self.outcome]


class CheckKind(Record):
    """What all outcomes of one check share: number, title, and how much depends on it."""

    code: str
    title: str
    severity: Severity

    def conclude(self, outcome: Outcome, sentence: str) -> Check:
        """Give the check an outcome with its sentence."""
        return Check(code=self.code, title=self.title, severity=self.severity, outcome=outcome, sentence=sentence)


def is_by_author(results: RunResults) -> bool:
    """Whether every promise counts authors rather than posts."""
    points = results.operating_points
    return bool(points) and all(point.unit == "author" for point in points)
