"""The team's guideline beside every post, shown as text."""

import streamlit as st

from apps.review.components.messages import show_message
from apps.review.services.guidelines import load_guidelines
from screening.exceptions import ConfigError
from screening.explain.rendering import escape_visibly


def show_guidelines() -> None:
    """Show the guideline, folded until asked for; one that cannot be read keeps nobody from judging."""
    with st.expander("Guideline"):
        try:
            st.html(render_guidelines(load_guidelines()))
        except ConfigError as error:
            show_message(str(error), "problem")


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
