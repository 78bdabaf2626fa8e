"""What every service needs: the store, a clock, and the rules of the house."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apps.review.identity.timeouts import SessionPolicy
from apps.review.store.database import Store
from screening.types import Record


class ReviewSettings(Record):
    """The rules of the house.

    ``is_blind`` hides scores, triage level and highlights until a reviewer has judged the post once.
    """

    is_blind: bool = True
    lease_duration: timedelta = timedelta(minutes=15)
    session: SessionPolicy = SessionPolicy()


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ReviewContext:
    """Handed to every service as its first argument."""

    store: Store
    settings: ReviewSettings = field(default_factory=ReviewSettings)
    clock: Callable[[], datetime] = _now
