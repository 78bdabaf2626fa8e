"""Sentences to the reader: what was done, what was refused, what to do next; always escaped."""

import html
from collections.abc import Callable
from typing import Literal

import streamlit as st

from apps.review.services.errors import NotSignedInError, ReviewError
from apps.review.state import end_session, take_notice
from screening.exceptions import ConfigError
from screening.explain.rendering import show_visibly

Kind = Literal["done", "problem", "calm"]


def show_message(text: str, kind: Kind = "done") -> None:
    """Show one sentence; a problem is announced at once, and is told by a word, not only by its colour."""
    role = "alert" if kind == "problem" else "status"
    lead = "<strong>Not done.</strong> " if kind == "problem" else ""
    st.html(f'<div class="notice {kind}" role="{role}">{lead}{html.escape(show_visibly(_start_sentence(text)))}</div>')


def show_notice() -> None:
    """Show the sentence the last action left.

    It has a place of its own whether it is there or not: what stands below keeps its place in the page, so that nothing
    of the post before is seen while the next one is drawn.
    """
    notice = take_notice()
    with st.container(key="notice"):
        if notice is not None:
            text, is_problem = notice
            show_message(text, "problem" if is_problem else "done")


def run_page(show: Callable[[], None]) -> None:
    """Show a page; a refusal of the services becomes a sentence on it."""
    try:
        show()
    except NotSignedInError:
        end_session("Your session has ended. Sign in again to go on; every decision you made is saved.")
        st.rerun()
    except (ReviewError, ConfigError) as error:
        show_message(str(error), "problem")


def _start_sentence(text: str) -> str:
    sentence = text[:1].upper() + text[1:]
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
