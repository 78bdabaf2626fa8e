"""The words of a judgement: four decisions, and the reasons a house offers for each."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from pydantic import Field

from screening.exceptions import ConfigError
from screening.types import Record

Decision = Literal["escalate", "needs_follow_up", "no_concern", "unsure"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
JUDGEMENT_KINDS = ("decision", "revision")  # kinds of events


class Reason(Record):
    """Why a post was judged so: ``code`` is kept with the decision, ``label`` is what the page shows."""

    code: str = Field(pattern=r"^[a-z0-9_]{1,40}$")
    label: str = Field(min_length=1, max_length=60)


DEFAULT_REASONS: Mapping[Decision, tuple[Reason, ...]] = {
    "escalate": (
        Reason(code="plan_or_means", label="Plan or means named"),
        Reason(code="recent_attempt", label="Recent attempt described"),
        Reason(code="farewell", label="Farewell"),
        Reason(code="harm_to_others", label="Harm to others named"),
        Reason(code="minor_at_risk", label="A minor may be at risk"),
    ),
    "needs_follow_up": (
        Reason(code="thoughts_without_plan", label="Thoughts without a plan"),
        Reason(code="self_harm", label="Self-harm mentioned"),
        Reason(code="asks_for_help", label="Asks for help"),
        Reason(code="marked_distress", label="Marked distress"),
        Reason(code="about_someone_else", label="Worried about someone else"),
    ),
    "no_concern": (
        Reason(code="figure_of_speech", label="Figure of speech"),
        Reason(code="quote_or_fiction", label="Quote, lyrics or fiction"),
        Reason(code="in_the_past", label="In the past, no sign of it now"),
        Reason(code="other_topic", label="Other topic"),
    ),
    "unsure": (
        Reason(code="too_little_context", label="Too little context"),
        Reason(code="other_language", label="Language not read"),
        Reason(code="possible_irony", label="Possibly ironic"),
    ),
}


def validate_reasons(
    reasons: Sequence[str], decision: str, offered: Mapping[Decision, tuple[Reason, ...]]
) -> list[str]:
    """Return the codes in the order the house lists them, each once.

    Raises
    ------
    ConfigError
        If the decision or a code is not known; codes are short words of the house, so they are named.
    """
    if decision not in DECISIONS:
        message = f"a decision is one of {', '.join(DECISIONS)}, found {decision!r}"
        raise ConfigError(message)
    known = [reason.code for name, group in offered.items() if name == decision for reason in group]
    unknown = sorted(set(reasons) - set(known))
    if unknown:
        message = f"a reason for {decision} is one of {', '.join(known) or 'none'}; found {', '.join(unknown)[:200]}"
        raise ConfigError(message)
    return [code for code in known if code in reasons]
