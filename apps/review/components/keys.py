"""The keys that press buttons, and the choice to do without them."""

import streamlit as st

from apps.review.services.decisions import Decision

# C and R belong to the web framework.
DECISION_KEYS: dict[Decision, str] = {"escalate": "E", "needs_follow_up": "F", "no_concern": "N", "unsure": "U"}
SHOW_KEY = "S"
KEEP_KEY = "K"
AGAIN_KEY = "J"
UNDO_KEY = "Z"
PUT_BACK_KEY = "P"
OPEN_KEY = "O"
_IS_ON = "uses_keys"


def show_key_choice() -> None:
    """Offer to switch the keys off: who dictates, or rests a hand on the keyboard, would decide by accident."""
    st.toggle("Keyboard keys", value=True, key=_IS_ON, persist_state="session")


def offer_key(key: str) -> str | None:
    """Return the key for a button, or none where the person does without."""
    return key if st.session_state.get(_IS_ON, True) else None
