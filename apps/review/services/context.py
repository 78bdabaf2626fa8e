"""What every service needs: the store, a clock, and the rules of the house."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator

from apps.review.identity.timeouts import SessionPolicy
from apps.review.services.decisions import DEFAULT_REASONS, Decision, Reason
from apps.review.store.database import Store
from screening.config import ReportConfig
from screening.exceptions import ConfigError
from screening.types import Record

Line = Annotated[str, Field(min_length=1, max_length=200)]
SETTINGS_VARIABLE = "SCREENING_REVIEW_SETTINGS"


class ReviewSettings(Record):
    """The rules of the house."""

    is_blind: bool = Field(True, description="hide scores, level and highlights until a reviewer has judged the post")
    lease_duration: timedelta = Field(
        timedelta(minutes=15), gt=timedelta(0), description="how long a post stays on a desk"
    )
    session: SessionPolicy = SessionPolicy()
    second_read_fraction: float = Field(0.1, ge=0, le=1, description="share of posts a second person reads, blind")
    second_read_seed: int = Field(13, description="decides, with the post id, which posts those are")
    reasons: Mapping[Decision, tuple[Reason, ...]] = Field(DEFAULT_REASONS, description="reason codes per decision")
    after_escalation: str = Field(
        "The app itself tells nobody outside it: leads see the post on their page “Escalated”.",
        min_length=1,
        max_length=300,
        description="shown right after a decision to escalate, such as whom to call now",
    )
    crisis_resources: tuple[Line, ...] = Field(
        ReportConfig().crisis_resources,
        min_length=1,
        description="where a person in crisis finds help; beside every post",
    )
    daily_cap: int | None = Field(200, ge=1, description="judgements per reviewer and day; null: no cap")
    break_after_posts: int = Field(25, ge=1, description="judgements after which a break is suggested")
    break_after: timedelta = Field(
        timedelta(minutes=50), gt=timedelta(0), description="time after which one is suggested"
    )
    time_zone: str = Field("UTC", description="where the reviewers' day begins, such as Europe/Berlin")
    idle_cut: timedelta = Field(timedelta(minutes=10), gt=timedelta(0), description="longer gaps count as this much")
    concern_decisions: tuple[Decision, ...] = Field(
        ("escalate", "needs_follow_up"),
        min_length=1,
        description="decisions that count as found, or missed in the audit",
    )

    @field_validator("time_zone")
    @classmethod
    def _validate_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            message = f"{name!r} is no time zone; use a name such as UTC or Europe/Berlin"
            raise ValueError(message) from error
        return name


def read_settings(path: Path | None) -> ReviewSettings:
    """Read the rules of the house from a YAML file; without one, the defaults.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key or value in it is not known; every fault is named.

    Examples
    --------
    >>> read_settings(None).is_blind
    True
    """
    if path is None:
        return ReviewSettings()
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ReviewSettings.model_validate(content or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{path} cannot be read as a YAML file of review settings ({type(error).__name__})"
        raise ConfigError(message) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        message = f"{path}: {faults}. Known keys: {', '.join(ReviewSettings.model_fields)}"
        raise ConfigError(message) from error


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ReviewContext:
    """Handed to every service as its first argument."""

    store: Store
    settings: ReviewSettings = field(default_factory=ReviewSettings)
    clock: Callable[[], datetime] = _now
