"""The team's guideline beside every post: a plain text file, shown as text."""

import os
from functools import lru_cache
from pathlib import Path

import streamlit as st

from screening.exceptions import ConfigError
from screening.explain.rendering import escape_visibly

VARIABLE = "SCREENING_REVIEW_GUIDELINES"
DEFAULT_FILE = Path(__file__).parents[1] / "guidelines" / "default.txt"
MAX_CHARACTERS = 20_000


def show_guidelines() -> None:
    """Show the guideline, folded until asked for."""
    with st.expander("Guideline"):
        st.html(render_guidelines(load_guidelines(os.environ.get(VARIABLE))))


@lru_cache(maxsize=4)
def load_guidelines(file: str | None = None) -> str:
    """Read the team's guideline, or the default one.

    Parameters
    ----------
    file : str or None
        A UTF-8 text file; ``None`` or an empty string for the default.

    Raises
    ------
    ConfigError
        If the file cannot be read, is empty, or is longer than anyone reads beside a post.
    """
    path = Path(file) if file else DEFAULT_FILE
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"the guideline {path} cannot be read as UTF-8 text; check {VARIABLE}"
        raise ConfigError(message) from error
    if not 0 < len(text) <= MAX_CHARACTERS:
        message = f"a guideline has 1 to {MAX_CHARACTERS:,} characters, found {len(text):,} in {path}; shorten it"
        raise ConfigError(message)
    return text


def render_guidelines(text: str) -> str:
    r"""Render headings (``# ``), list lines (``- ``) and paragraphs; everything else is text.

    Examples
    --------
    >>> render_guidelines("# Unsure\n- <b> words")
    '<div class="guideline"><h3>Unsure</h3><ul><li>&lt;b&gt; words</li></ul></div>'
    """
    parts: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("- "):
            item = f"<li>{escape_visibly(line[2:])}</li>"
            if parts and parts[-1].endswith("</ul>"):
                parts[-1] = parts[-1].removesuffix("</ul>") + item + "</ul>"
            else:
                parts.append(f"<ul>{item}</ul>")
        elif line.startswith("# "):
            parts.append(f"<h3>{escape_visibly(line[2:])}</h3>")
        else:
            parts.append(f"<p>{escape_visibly(line)}</p>")
    return f'<div class="guideline">{"".join(parts)}</div>'
