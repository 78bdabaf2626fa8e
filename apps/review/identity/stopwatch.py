"""Measures sessions by a clock nobody can set back, beside the one on the wall."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.review.identity.records import SignedIn
from apps.review.identity.timeouts import SessionPolicy

MAX_MARKS = 10_000


@dataclass
class _Mark:
    """When a session was opened and last seen in use, in seconds of the steady clock."""

    opened: float
    seen: float
    last_seen_at: datetime


class Stopwatch:
    """Knows the sessions this process has met; after a restart only the wall clock is left.

    Notes
    -----
    A pause of 20 minutes during which the wall clock is set back by 10 looks like one of 10 minutes. The steady clock
    of the process tells them apart. Activity seen by another process shows in the store and counts here too.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._marks: OrderedDict[str, _Mark] = OrderedDict()

    def is_over(self, signed_in: SignedIn, policy: SessionPolicy, now: datetime) -> bool:
        """Tell whether the session rested or lived too long by the steady clock."""
        tick, mark = self._steady(), self._marks.get(signed_in.session_id)
        if mark is None or signed_in.last_seen_at > mark.last_seen_at:
            opened = mark.opened if mark else tick - _count_seconds(now - signed_in.signed_in_at)
            mark = _Mark(opened, tick - _count_seconds(now - signed_in.last_seen_at), signed_in.last_seen_at)
            self._keep(signed_in.session_id, mark)
        return (
            tick - mark.seen >= policy.idle_timeout.total_seconds()
            or tick - mark.opened >= policy.absolute_timeout.total_seconds()
        )

    def note(self, signed_in: SignedIn) -> None:
        """Note activity that was just found not to come too late."""
        mark = self._marks.get(signed_in.session_id)
        if mark is not None:
            mark.seen, mark.last_seen_at = self._steady(), max(mark.last_seen_at, signed_in.last_seen_at)

    def _keep(self, session_id: str, mark: _Mark) -> None:
        self._marks[session_id] = mark
        while len(self._marks) > MAX_MARKS:
            self._marks.popitem(last=False)


def _count_seconds(duration: timedelta) -> float:
    return max(0.0, duration.total_seconds())


THIS_PROCESS = Stopwatch()
