"""The parts a page is made of; the template shows them in this order and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.checks import Check
    from reports.svg import Picture
    from reports.tables import Table


@dataclass(frozen=True)
class Fact:
    """A heading and what stands under it."""

    heading: str
    value: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Words, then tables, points of a list, pictures; ``folded`` tables open on request."""

    name: str
    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    points: tuple[str, ...] = ()
    points_heading: str = ""
    pictures: tuple[Picture, ...] = ()
    folded: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Page:
    """Everything the template reads."""

    run_name: str
    created_at: str
    title: str
    heading: str
    banner: str
    answer: tuple[str, ...]
    cards: tuple[Fact, ...]
    label_meaning: str
    crisis_resources: tuple[str, ...]
    checks_summary: str
    checks: tuple[Check, ...]
    sections: tuple[Section, ...]
    provenance: tuple[Fact, ...] = field(default_factory=tuple)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the page, shown or folded."""
        return tuple(table for section in self.sections for table in (*section.tables, *section.folded))
