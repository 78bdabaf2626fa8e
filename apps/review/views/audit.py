"""The audit of unflagged posts: how far it is, and how many posts that need someone were probably missed."""

import streamlit as st

from apps.review.components.messages import run_page, show_message
from apps.review.components.rows import show_counts
from apps.review.components.tables import describe_estimate, show_table
from apps.review.services.audit_slice import AuditProgress, AuditRow, AuditTotal, load_audit
from apps.review.state import load_context, require_signed_in


def show() -> None:
    """Show progress, estimated misses with their bounds, and what they mean."""
    actor, context = require_signed_in("see_audit_slice"), load_context()
    st.title("Audit of unflagged posts", anchor=False)
    progress = load_audit(context, actor)
    if not progress.rows:
        show_message("No audit slice yet. Draw one: screening review import … --audit-fraction 0.05", "calm")
        return
    total = progress.total
    show_counts(
        [
            ("Unflagged posts", f"{total.n_unflagged:,}"),
            ("Drawn at random", f"{total.n_sampled:,}"),
            ("Read", f"{total.n_read:,}"),
            ("Of these, not settled yet", f"{total.n_undecided:,}"),
            ("Settled as a concern", f"{total.n_concern:,}"),
        ]
    )
    share = total.n_read / total.n_sampled if total.n_sampled else 0.0
    st.progress(share, text=f"{total.n_read:,} of {total.n_sampled:,} read")
    st.subheader("Estimated misses", anchor=False)
    show_message(describe_misses(total), "calm")
    _show_meaning()
    _show_rows(progress)


def describe_misses(total: AuditTotal) -> str:
    """Say how many unflagged posts would have needed someone.

    Examples
    --------
    >>> read = {"n_unflagged": 900, "n_sampled": 100, "n_read": 50, "n_undecided": 0, "n_concern": 1}
    >>> total = AuditTotal(**read, misses=18, misses_low=1, misses_high=94)
    >>> describe_misses(total)
    'About 18 of 900 unflagged posts, between 1 and 94 at confidence 95%; from 50 read.'
    """
    between = f"between {total.misses_low:,} and {total.misses_high:,} at confidence {total.confidence_level:.0%}"
    if total.misses is None:
        undecided = f", {total.n_undecided:,} of them not settled yet" if total.n_undecided else ""
        of = f"of {total.n_unflagged:,} unflagged posts; {total.n_read:,} read"
        return f"Not known yet: {between} {of}{undecided}."
    about = f"About {total.misses:,.0f} of {total.n_unflagged:,} unflagged posts"
    return f"{about}, {between}; from {total.n_read:,} read."


def _show_meaning() -> None:
    st.html(
        "<p class='quiet'>Only flagged posts are read as a rule, so what the screener misses shows only in a random "
        "slice of the others. A miss is an unflagged post that its readers found to be a concern. The bounds count "
        "every post that could have been drawn; they hold if the posts read so far were not picked, whatever becomes "
        "of those not settled yet: the lower bound takes none of them for a concern, the upper one all. "
        "Reviewers cannot tell these posts from others, but by their age where a later import drew them.</p>"
    )


def _show_rows(progress: AuditProgress) -> None:
    show_table(
        ["Import", "Unflagged", "Drawn", "Read", "Not settled", "Concern", "Share of misses", "Misses, bounds"],
        [_to_cells(row) for row in progress.rows],
        caption="By import",
    )


def _to_cells(row: AuditRow) -> list[str]:
    counts = (row.n_unflagged, row.n_sampled, row.n_read, row.n_undecided, row.n_concern)
    return [
        f"{row.imported_at:%Y-%m-%d %H:%M} UTC",
        *(f"{count:,}" for count in counts),
        describe_estimate(row.miss_rate),
        f"{row.misses_low:,} to {row.misses_high:,}",
    ]


run_page(show)
