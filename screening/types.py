"""Names shared by every room: splits, triage levels, and an estimate that carries its interval and its n."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Split = Literal["train", "validation", "calibration", "test"]
Triage = Literal["refer", "review", "no_flag"]

SPLITS: tuple[Split, ...] = ("train", "validation", "calibration", "test")
TRIAGE_LEVELS: tuple[Triage, ...] = ("refer", "review", "no_flag")


class Record(BaseModel):
    """A frozen record that validates its fields and refuses unknown ones; its errors quote no value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Interval(Record):
    """A two-sided confidence interval ``[low, high]``."""

    low: float
    high: float
    confidence_level: float = Field(0.95, gt=0, lt=1)


class Estimate(Record):
    """A number with the interval, sample size and split behind it.

    ``value`` and ``interval`` are ``None`` where the quantity is undefined (no posts to count).
    """

    value: float | None
    interval: Interval | None = None
    n_samples: int = Field(ge=0)
    split: str
