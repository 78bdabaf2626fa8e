from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError
from apps.review.services.escalations import list_escalated, take_over
from apps.review.services.filters import QueueFilters
from apps.review.services.importing import import_scores
from apps.review.services.judging import revise_decision, undo_decision
from apps.review.services.leases import claim_post
from apps.review.services.posts import load_post
from apps.review.services.queue import load_queue
from apps.review.services.waiting import load_waits
from tests.apps.judged_posts import judge

BACKENDS = ("sqlite", "postgresql")
SignIn = Callable[..., SignedIn]
MakeTable = Callable[..., pd.DataFrame]


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


def test_a_lead_sees_since_when_a_disagreement_waits_and_a_second_reader_only_the_import(
    filled: ReviewContext, sign_in: SignIn, clock: Any
) -> None:
    """p3 is imported at 0 h, unsure at 1 h, contradicted at 3 h and seen by the lead at 4 h."""
    clock.advance(hours=1)
    judge(filled, sign_in("ada"), "p3", "unsure")
    clock.advance(hours=2)
    bob = sign_in("bob")
    waits = {row.post_id: row.waits_since for row in load_queue(filled, bob)}
    assert set(waits.values()) == {clock() - timedelta(hours=3)}
    claim_post(filled, bob, "p3")
    assert load_post(filled, bob, "p3").waits_since == waits["p3"]
    judge(filled, bob, "p3", "unsure")
    clock.advance(hours=1)
    lea = sign_in("lea", "lead")
    (row,) = load_queue(filled, lea, filters=QueueFilters(stage="adjudication"))
    assert (row.post_id, row.waits_since) == ("p3", clock() - timedelta(hours=1))
    claim_post(filled, lea, "p3")
    assert load_post(filled, lea, "p3").waits_since == row.waits_since


def test_a_wait_begins_with_the_first_of_several_posts(
    filled: ReviewContext,
    operator: SignedIn,
    sign_in: SignIn,
    clock: Any,
    make_scores: MakeTable,
    make_posts: MakeTable,
) -> None:
    """p1 waits since 0 h and two more since 3 h; p3 is escalated at 1 h, p2 at 2 h."""
    for post_id in ("p3", "p2"):
        clock.advance(hours=1)
        judge(filled, sign_in("ada"), post_id, "escalate")
    assert list_hours(filled, operator)["escalated"] == (2, 1)
    clock.advance(hours=1)
    newer = [table.assign(post_id=table["post_id"] + "0").tail(2) for table in (make_scores(), make_posts())]
    import_scores(filled, operator, newer[0].assign(triage="review"), newer[1])
    assert list_hours(filled, operator) == {"escalated": (2, 2), "review": (3, 3)}
    for post_id in ("p30", "p20"):
        judge(filled, sign_in("ada"), post_id, "unsure")
        clock.advance(hours=1)
    assert list_hours(filled, operator)["second"] == (2, 2)


def test_changing_or_taking_back_a_judgement_begins_no_wait_anew(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    """p3 waits for a second reader since 0 h and for a lead since 2 h, whatever is changed or taken back later."""
    judge(filled, sign_in("ada"), "p3", "unsure")
    clock.advance(hours=1)
    revise_decision(filled, sign_in("ada"), "p3", "unsure", "still")
    assert list_hours(filled, operator)["second"] == (1, 1)
    clock.advance(hours=1)
    second = judge(filled, sign_in("bob"), "p3", "unsure")
    clock.advance(hours=1)
    revised = revise_decision(filled, sign_in("bob"), "p3", "unsure", "still").seq
    assert list_hours(filled, operator)["settle"] == (1, 1)
    settled = judge(filled, sign_in("lea", "lead"), "p3", "no_concern")
    assert "settle" not in list_hours(filled, operator)
    clock.advance(hours=1)
    lea = sign_in("lea")
    undo_decision(filled, lea, settled)
    assert list_hours(filled, operator)["settle"] == (1, 2)
    for seq in (revised, second):
        undo_decision(filled, lea, seq)
    assert list_hours(filled, operator)["second"] == (1, 4)


def test_an_escalation_in_other_words_waits_since_the_first_unless_a_lead_had_answered(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    judge(filled, sign_in("ada"), "p3", "escalate")
    clock.advance(hours=1)
    revise_decision(filled, sign_in("ada"), "p3", "escalate", reasons=["farewell"])
    assert list_hours(filled, operator)["escalated"] == (1, 1)
    lea = sign_in("lea", "lead")
    assert [post.reasons for post in list_escalated(filled, lea)] == [("farewell",)]
    take_over(filled, lea, "p3")
    clock.advance(hours=1)
    revise_decision(filled, sign_in("ada"), "p3", "escalate", reasons=["plan_or_means"])
    clock.advance(hours=1)
    assert list_hours(filled, operator)["escalated"] == (1, 1)
    revise_decision(filled, sign_in("ada"), "p3", "no_concern")
    revise_decision(filled, sign_in("ada"), "p3", "escalate")
    assert list_hours(filled, operator)["escalated"] == (1, 0)


def test_a_clock_that_ran_ahead_once_shortens_no_wait(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    """p1 is judged by a server six hours ahead; p3 is escalated after that, by one whose clock is right."""
    clock.advance(hours=6)
    judge(filled, sign_in("ada"), "p1", "no_concern")
    clock.advance(hours=-6)
    judge(filled, sign_in("bob"), "p3", "escalate")
    clock.advance(hours=1)
    assert list_hours(filled, operator)["escalated"] == (1, 1)


def test_the_numbers_are_for_those_who_oversee(filled: ReviewContext, sign_in: SignIn) -> None:
    assert load_waits(filled, sign_in("lea", "lead"))
    with pytest.raises(NotAllowedError, match="see dashboard"):
        load_waits(filled, sign_in("ada"))
