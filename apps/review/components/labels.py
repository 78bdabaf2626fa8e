"""The words and keys the pages use for decisions and triage levels."""

import html

from apps.review.services.judging import Decision

DECISION_LABELS: dict[Decision, str] = {
    "escalate": "Escalate",
    "needs_follow_up": "Needs follow-up",
    "no_concern": "No concern",
    "unsure": "Unsure",
}
# C and R belong to the web framework.
DECISION_KEYS: dict[Decision, str] = {"escalate": "E", "needs_follow_up": "F", "no_concern": "N", "unsure": "U"}
SHOW_KEY = "S"
KEEP_KEY = "K"
TRIAGE_LABELS = {"refer": "Refer", "review": "Review", "no_flag": "Not flagged"}


def label_decision(decision: str | None) -> str:
    """Say a decision in words."""
    return {str(name): label for name, label in DECISION_LABELS.items()}.get(decision or "", "Unknown")


def render_level(triage: str) -> str:
    """Render a triage level as a small outlined label."""
    known = triage if triage in TRIAGE_LABELS else "no_flag"
    return f'<span class="level {known}">{html.escape(TRIAGE_LABELS.get(triage, triage))}</span>'
