"""A post taken from the queue and judged, as several modules of tests need it."""

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_post


def judge(context: ReviewContext, person: SignedIn, post_id: str, decision: str, note: str | None = None) -> int:
    """Take a post and judge it; returns the number of the event."""
    claim_post(context, person, post_id)
    return record_decision(context, person, post_id, decision, note).seq
