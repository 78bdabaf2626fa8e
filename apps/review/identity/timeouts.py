"""Sessions end by themselves: after a pause, and after a working day."""

from datetime import datetime, timedelta

from apps.review.identity.records import SignedIn
from screening.types import Record


class SessionPolicy(Record):
    """How long a session may rest, and how long it may live at all.

    ``clock_tolerance`` is how far a clock may step back, as clocks do that are kept in time, before the age of a
    session counts as unknown.
    """

    idle_timeout: timedelta = timedelta(minutes=15)
    absolute_timeout: timedelta = timedelta(hours=10)
    clock_tolerance: timedelta = timedelta(seconds=5)

    def is_expired(self, signed_in: SignedIn, now: datetime) -> bool:
        """Tell whether the session is over.

        A clock that ran backwards ends the session too: its age is no longer known, and a pause before the step
        would not count.
        """
        if now < signed_in.last_seen_at - self.clock_tolerance or now < signed_in.signed_in_at - self.clock_tolerance:
            return True
        return (
            now - signed_in.last_seen_at >= self.idle_timeout or now - signed_in.signed_in_at >= self.absolute_timeout
        )

    def touch(self, signed_in: SignedIn, now: datetime) -> SignedIn | None:
        """Note activity; ``None`` if the session is over."""
        if self.is_expired(signed_in, now):
            return None
        return signed_in.model_copy(update={"last_seen_at": max(now, signed_in.last_seen_at)})
