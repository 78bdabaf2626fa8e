"""Which of the waiting posts someone looks at."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field
from sqlalchemy import ColumnElement, exists, func, or_, select

from apps.review.identity.records import Role, SignedIn
from apps.review.services.access import is_permitted
from apps.review.services.decisions import JUDGEMENT_KINDS
from apps.review.services.errors import NotAllowedError
from apps.review.services.stages import is_by, is_standing
from apps.review.store.events import to_timestamp
from apps.review.store.models import Event, QueueItem
from screening.types import Record, Triage


class QueueFilters(Record):
    """What a waiting post must be like; ``None`` asks for nothing.

    ``waiting_at_least`` and ``waiting_at_most`` count from the import. ``stage`` is ``reading`` (first and second
    readings alike) or ``adjudication``.
    """

    triage: Triage | None = None
    import_seq: int | None = None
    community: str | None = None
    min_characters: int | None = Field(None, ge=0)
    max_characters: int | None = Field(None, ge=0)
    waiting_at_least: timedelta | None = None
    waiting_at_most: timedelta | None = None
    is_audit: bool | None = None
    stage: Literal["reading", "adjudication"] = "reading"


NO_FILTERS = QueueFilters()


def validate_filters(filters: QueueFilters, role: Role, *, is_blind: bool) -> None:
    """Refuse filters that tell what is hidden from this role.

    Raises
    ------
    NotAllowedError
        If a reviewer asks for a triage level, an import or the audit slice while first judgements are blind, or for
        adjudications.
    """
    if filters.stage == "adjudication" and not is_permitted(role, "adjudicate"):
        message = f"the role {role} may not settle disagreements; ask a lead"
        raise NotAllowedError(message)
    is_telling = tells_level(filters) or filters.import_seq is not None  # an import may be nothing but an audit slice
    if is_blind and is_telling and not is_permitted(role, "see_dashboard"):
        message = (
            "levels, imports and the audit slice stay hidden while first judgements are blind; take these filters out"
        )
        raise NotAllowedError(message)


def tells_level(filters: QueueFilters) -> bool:
    """Tell whether finding a post under these filters says something of its scores."""
    return filters.triage is not None or filters.is_audit is not None


def list_conditions(filters: QueueFilters, actor: SignedIn, now: datetime) -> list[ColumnElement[bool]]:
    """List the conditions on ``QueueItem`` for the posts this person may see under these filters."""
    return [*list_wishes(filters, now), *list_claim_conditions(actor, filters.stage)]


def list_claim_conditions(actor: SignedIn, stage: str) -> list[ColumnElement[bool]]:
    """List the conditions for posts this person may judge.

    Whoever ever judged a post has seen its scores and gives it no second reading. Who settles it sees everything, and
    must only be none of the two who disagree: what they took back does not bar them.
    """
    own = select(Event.seq).where(
        Event.post_id == QueueItem.post_id, is_by(actor.user_name), Event.kind.in_(JUDGEMENT_KINDS)
    )
    if stage == "adjudication":
        own = own.where(is_standing())
    is_held_by_actor = func.coalesce(QueueItem.leased_by, "") == actor.user_name
    is_new = or_(QueueItem.stage == "first", is_held_by_actor, ~exists(own))
    is_stage = QueueItem.stage == "adjudication" if stage == "adjudication" else QueueItem.stage != "adjudication"
    return [is_stage, is_new]


def list_wishes(filters: QueueFilters, now: datetime) -> list[ColumnElement[bool]]:
    """List the conditions the filters themselves set, whoever asks."""
    wishes: list[ColumnElement[bool]] = [
        getattr(QueueItem, name) == value
        for name in ("triage", "import_seq", "community", "is_audit")
        if (value := getattr(filters, name)) is not None
    ]
    # Spelled so that pages keep to the index of their order: the one of lengths would leave all of them to be sorted.
    n_characters = func.coalesce(QueueItem.n_characters, 0)
    if filters.min_characters is not None:
        wishes.append(n_characters >= filters.min_characters)
    if filters.max_characters is not None:
        wishes.append(n_characters <= filters.max_characters)
    if filters.waiting_at_least is not None:
        wishes.append(QueueItem.imported_at <= to_timestamp(now - filters.waiting_at_least))
    if filters.waiting_at_most is not None:
        wishes.append(QueueItem.imported_at >= to_timestamp(now - filters.waiting_at_most))
    return wishes
