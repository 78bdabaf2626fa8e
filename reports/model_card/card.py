"""MODEL_CARD.md: sections between markers are filled from a run, everything else belongs to its writers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jinja2

from reports.model_card.markdown import escape_markdown
from reports.model_card.metadata import build_metadata
from reports.model_card.sections import build_card_sections
from reports.render import load_template
from screening.whole_writes import write_text_whole

if TYPE_CHECKING:
    from pathlib import Path

    from reports.results import RunResults

SECTION = re.compile(r"(<!-- screening:begin ([a-z_]+) -->\n)(.*?)(<!-- screening:end \2 -->)", re.DOTALL)
BLOCK = re.compile(r"\n(?:## [^\n]+\n\n)?<!-- screening:begin ([a-z_]+) -->\n<!-- screening:end \1 -->\n")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def write_model_card(results: RunResults, path: Path) -> Path:
    """Fill the generated sections of a model card; the file is created from the template if there is none.

    Text outside the markers is kept as it is, and so are sections under names this version does not know. A section
    that the card lacks (an older version wrote it, or its markers were deleted) is put back in its place. The front
    matter is always written anew.
    """
    name = results.config.name
    text = restore_sections(path.read_text(encoding="utf-8"), name) if path.exists() else start_card(name)
    write_text_whole(path, render_model_card(results, text))
    return path


def start_card(name: str) -> str:
    """Fill the name into the template: headings and empty sections, as a new card starts."""
    template = jinja2.Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701  Markdown, escaped by us
    return template.from_string(load_template("model_card.md.jinja")).render(name=escape_markdown(name))


def restore_sections(text: str, name: str) -> str:
    """Put sections of the template that a card lacks behind the one that comes before them, with their headings."""
    before = ""
    for block in BLOCK.finditer(start_card(name)):
        if f"<!-- screening:begin {block[1]} -->" not in text:
            end = f"<!-- screening:end {before} -->\n"
            text = text.replace(end, end + block[0], 1) if before else text + block[0]
        before = block[1]
    return text


def is_model_card_stale(results: RunResults, path: Path) -> bool:
    """Whether a card or one of its sections is missing, or a generated part is not what this run gives."""
    if not path.exists():
        return True
    text = path.read_text(encoding="utf-8")
    sections = build_card_sections(results)
    return not set(sections) <= set(read_sections(text)) or _fill(results, sections, text) != text


def render_model_card(results: RunResults, text: str) -> str:
    """Put generated sections and front matter into the text of a card."""
    return _fill(results, build_card_sections(results), text)


def read_sections(text: str) -> dict[str, str]:
    """Read the generated sections of a card, by name."""
    return {match[2]: match[3] for match in SECTION.finditer(text)}


def strip_sections(text: str) -> str:
    """Take the front matter and the body of every generated section away: what a person may have written stays."""
    return SECTION.sub(r"\1\4", FRONT_MATTER.sub("", text, count=1))


def _fill(results: RunResults, sections: dict[str, str], text: str) -> str:
    body = FRONT_MATTER.sub("", text, count=1)
    filled = SECTION.sub(lambda found: f"{found[1]}{sections.get(found[2], found[3])}{found[4]}", body)
    return f"---\n{build_metadata(results).to_yaml()}\n---\n{filled}"
