"""The words the pages use for decisions, reasons and triage levels."""

import hashlib
import html
import re
from collections.abc import Mapping, Sequence

from apps.review.services.decisions import Decision, Reason
from screening.explain.rendering import show_visibly

DECISION_LABELS: dict[Decision, str] = {
    "escalate": "Escalate",
    "needs_follow_up": "Needs follow-up",
    "no_concern": "No concern",
    "unsure": "Unsure",
}
TRIAGE_LABELS = {"refer": "Refer", "review": "Review", "no_flag": "Not flagged"}
_MARKDOWN_SIGNS = re.compile(r"([!-/:-@\[-`{-~])")


def label_decision(decision: str | None) -> str:
    """Say a decision in words."""
    return {str(name): label for name, label in DECISION_LABELS.items()}.get(decision or "", "Unknown")


def label_reasons(codes: Sequence[str], offered: Mapping[Decision, tuple[Reason, ...]]) -> str:
    """Say reasons in the words of the house; a code it no longer knows stays as it is."""
    labels = {reason.code: reason.label for group in offered.values() for reason in group}
    return ", ".join(labels.get(code, code) for code in codes)


def render_level(triage: str) -> str:
    """Render a triage level as a small outlined label."""
    known = triage if triage in TRIAGE_LABELS else "no_flag"
    return f'<span class="level {known}">{html.escape(TRIAGE_LABELS.get(triage, triage))}</span>'


def to_words(name: str) -> str:
    """Turn the name of a target, class or column into words."""
    return name.replace("_", " ")


def to_percent(value: float) -> str:
    """Write a share for a page.

    Examples
    --------
    >>> to_percent(0.004), to_percent(0.25), to_percent(1.0)
    ('below 1%', '25%', 'above 99%')
    """
    return "below 1%" if value < 0.01 else "above 99%" if value > 0.99 else f"{value:.0%}"


def mark_post(post_id: str) -> str:
    """Make a short name for the widgets of one post; an id may hold any sign.

    A widget belongs to its post: a second click on a decision never meets the next post.
    """
    return hashlib.sha256(post_id.encode(errors="surrogatepass")).hexdigest()[:12]


def to_label(text: str) -> str:
    r"""Return text for places where the framework reads markdown; it comes out as it went in.

    Examples
    --------
    >>> print(to_label("*plan* :red[x]"))
    \*plan\* \:red\[x\]
    """
    return _MARKDOWN_SIGNS.sub(r"\\\1", show_visibly(text))
