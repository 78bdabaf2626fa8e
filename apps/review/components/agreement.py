"""How far two blind readings of the same post agree: numbers with intervals, and who said what."""

import streamlit as st

from apps.review.components.labels import DECISION_LABELS, label_decision
from apps.review.components.messages import show_message
from apps.review.components.tables import describe_estimate, show_table
from apps.review.services.agreement import Agreement


def show_agreement(agreement: Agreement) -> None:
    """Show alpha, kappa, pairs of readers, and which decisions meet which."""
    if agreement.n_posts == 0:
        show_message("No post drawn for a second blind reading was read twice yet", "calm")
        _show_state(agreement)
        return
    numbers, meetings = st.columns(2, gap="large")
    with numbers:
        rows = [
            ["Krippendorff's α", describe_estimate(agreement.alpha, is_percent=False)],
            ["Cohen's κ", describe_estimate(agreement.kappa, is_percent=False)],
            ["Same decision", f"{agreement.n_agreeing:,} of {agreement.n_posts:,} posts"],
        ]
        show_table(["", "Value (95% interval)"], rows, caption="Everyone")
        if agreement.pairs:
            pairs = [
                [f"{pair.first} and {pair.second}", describe_estimate(pair.kappa, is_percent=False)]
                for pair in agreement.pairs
            ]
            show_table(["Readers", "Cohen's κ (95% interval)"], pairs, caption="Pairs")
    with meetings:
        show_table(
            ["First reader", *DECISION_LABELS.values()],
            cross_decisions(agreement),
            caption=f"First reader by row, second by column, n = {agreement.n_posts:,}",
        )
    _show_state(agreement)
    st.caption("0 is what chance gives, 1 is full agreement. Posts read twice because someone was unsure do not count.")


def cross_decisions(agreement: Agreement) -> list[list[str]]:
    """Lay out the pairs of decisions as a square table."""
    counts = {(row.first, row.second): row.n for row in agreement.confusion}
    names = list(DECISION_LABELS)
    return [[label_decision(first), *(f"{counts.get((first, second), 0):,}" for second in names)] for first in names]


def _show_state(agreement: Agreement) -> None:
    waiting = (
        f"{agreement.n_waiting_second:,} wait for a second reader, {agreement.n_waiting_adjudication:,} to be settled"
    )
    st.caption(f"{waiting}; {agreement.n_adjudicated:,} disagreements were settled.")
