from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.services.escalations import take_over
from apps.review.services.judging import record_decision
from apps.review.services.queue import claim_post
from apps.review.services.waiting import load_waits

BACKENDS = ("sqlite", "postgresql")
SignIn = Callable[..., SignedIn]


def judge(context: ReviewContext, actor: SignedIn, post_id: str, decision: str) -> None:
    claim_post(context, actor, post_id)
    record_decision(context, actor, post_id, decision)


def list_hours(context: ReviewContext, operator: SignedIn) -> dict[str, tuple[int, float | None]]:
    """Posts and hours of the longest wait by name, where anything waits."""
    return {
        wait.name: (wait.n_posts, None if wait.since is None else (context.clock() - wait.since) / timedelta(hours=1))
        for wait in load_waits(context, operator)
        if wait.n_posts
    }


def test_each_wait_counts_from_its_own_beginning(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    """p1 to p3 are imported at 0 h; p3 is unsure at 1 h, contradicted at 3 h; p2 is escalated at 4 h."""
    assert list_hours(filled, operator) == {"refer": (2, 0), "review": (1, 0)}
    clock.advance(hours=1)
    judge(filled, sign_in("ada"), "p3", "no_concern")
    clock.advance(hours=1)
    judge(filled, sign_in("ada"), "p2", "unsure")
    clock.advance(hours=1)
    assert list_hours(filled, operator) == {"review": (1, 3), "second": (1, 1)}
    judge(filled, sign_in("bob"), "p2", "unsure")
    clock.advance(hours=1)
    assert list_hours(filled, operator) == {"review": (1, 4), "settle": (1, 1)}
    judge(filled, sign_in("bob"), "p1", "escalate")
    clock.advance(hours=2)
    assert list_hours(filled, operator) == {"escalated": (1, 2), "settle": (1, 3)}
    take_over(filled, sign_in("lea", "lead"), "p1")
    assert list_hours(filled, operator) == {"settle": (1, 3)}


def test_the_numbers_are_for_those_who_oversee(filled: ReviewContext, sign_in: SignIn) -> None:
    assert load_waits(filled, sign_in("lea", "lead"))
    with pytest.raises(NotAllowedError, match="see dashboard"):
        load_waits(filled, sign_in("ada"))
