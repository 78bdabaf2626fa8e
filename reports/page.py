"""The parts a page is made of; the template shows them in this order and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.check import Check
    from reports.figures.svg import Picture
    from reports.tables import Table


@dataclass(frozen=True)
class Fact:
    """A heading and what stands under it."""

    heading: str
    value: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class SliderTable:
    """One table behind the slider: whose threshold, on which posts, and the row to start from.

    ``has_point`` says that the row to start from is the operating point, the only one with a promise.
    """

    target: str
    posts: str
    start: int
    has_point: bool
    table: Table


@dataclass(frozen=True)
class Slider:
    """Tables a reader slides through, the warning beside them, and all of them as one table for CSV and JSON."""

    tables: tuple[SliderTable, ...]
    warning: str
    whole: Table

    @property
    def targets(self) -> tuple[str, ...]:
        """Names to choose from."""
        return tuple(dict.fromkeys(part.target for part in self.tables))


@dataclass(frozen=True)
class Section:
    """Words, then tables, points of a list, pictures, a slider; ``folded`` tables open on request."""

    name: str
    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    points: tuple[str, ...] = ()
    points_heading: str = ""
    pictures: tuple[Picture, ...] = ()
    slider: Slider | None = None
    folded: tuple[Table, ...] = ()

    @property
    def every_table(self) -> tuple[Table, ...]:
        """Tables shown, folded, and behind a slider."""
        return (*self.tables, *self.folded, *((self.slider.whole,) if self.slider else ()))


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
        """Every table of the page, shown, folded or behind a slider."""
        return tuple(table for section in self.sections for table in section.every_table)
