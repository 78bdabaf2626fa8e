"""Pages keep their word: links lead somewhere, and the commands they show exist, with the options they show."""

import re
import shlex
from collections.abc import Iterator
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typer.main import get_command

from pipelines.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "pipelines/**/*.md", "screening/**/*.md")
    for page in ROOT.glob(pattern)
)
ENDS = {"|", "||", "&&", ";", ">", ">>", "<", "&"}


def parse(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def list_links(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        for part in token.children or ():
            if part.type in {"link_open", "image"}:
                yield str(part.attrGet("href") or part.attrGet("src"))


def list_anchors(tokens: list[Token]) -> set[str]:
    """Name a page's headings as GitHub does: lower case, no punctuation, hyphens for blanks."""
    headings = [after for token, after in pairwise(tokens) if token.type == "heading_open"]
    texts = ["".join(part.content for part in heading.children or ()) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    for link in list_links(parse(page)):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / parts.path).resolve() if parts.path else page
        assert target.exists(), link
        assert not parts.fragment or parts.fragment in list_anchors(parse(target)), link


def list_commands(page: Path) -> Iterator[list[str]]:
    """List the arguments of every ``screening`` command in a page's shell blocks."""
    for token in parse(page):
        if token.type == "fence" and token.info == "sh":
            for line in token.content.replace("\\\n", " ").splitlines():
                yield from find_commands(line)


def find_commands(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for start, word in enumerate(words):
        if Path(word).name == "screening" and words[start - 1 : start] != ["-m"]:
            arguments = words[start + 1 :]
            end = next((i for i, argument in enumerate(arguments) if argument in ENDS or argument == ")"), None)
            yield arguments[:end]


def find_unknown(arguments: list[str], command: Any) -> str | None:
    """Find the first word that the command line does not know, subcommands and long options alone."""
    for argument in arguments:
        if argument.startswith("--"):
            known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
            if argument.partition("=")[0] not in {*known, "--help"}:
                return argument
        elif getattr(command, "commands", None) and not argument.startswith("-"):
            if argument not in command.commands:
                return argument
            command = command.commands[argument]
    return None


@pytest.fixture(scope="module")
def commands() -> Any:
    command: Any = get_command(app)
    for entry in entry_points(group="screening.commands"):
        command.commands[entry.name] = get_command(entry.load())
    return command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path, commands: Any) -> None:
    for arguments in list_commands(page):
        assert find_unknown(arguments, commands) is None, arguments


def test_commands_that_do_not_exist_are_found(commands: Any) -> None:
    found = list(find_commands("run=1 && .venv/bin/screening audit estimat x.csv | less  # screening nothing"))
    assert found == [["audit", "estimat", "x.csv"]]
    assert find_unknown(found[0], commands) == "estimat"
    assert find_unknown(["score", "posts.csv", "--bundel", "b"], commands) == "--bundel"
    assert find_unknown(["review", "waiting", "--limit", "refer=4h"], commands) is None
