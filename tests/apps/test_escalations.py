"""Escalated posts wait for a lead until somebody takes them over."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from apps.review.identity.records import SignedIn
from apps.review.services import escalations
from apps.review.services.agreement import load_agreement
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.dashboard import load_dashboard
from apps.review.services.errors import AlreadyDecidedError, NotAllowedError
from apps.review.services.escalations import (
    count_escalated,
    list_escalated,
    list_taken_over,
    take_over,
    undo_take_over,
)
from apps.review.services.exporting import export_decisions
from apps.review.services.history import load_history
from apps.review.services.judging import record_decision, revise_decision, undo_decision
from apps.review.services.leases import release
from apps.review.services.outcomes import iterate_states
from apps.review.services.posts import load_post
from apps.review.services.verifying import verify_chain
from tests.apps.judged_posts import judge

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]


@pytest.fixture
def house(filled: ReviewContext) -> ReviewContext:
    """Every post is read twice."""
    return replace(filled, settings=ReviewSettings(second_read_fraction=1.0))


@pytest.fixture
def once(filled: ReviewContext) -> ReviewContext:
    """No post is read twice."""
    return replace(filled, settings=ReviewSettings(second_read_fraction=0.0))


def list_ids(context: ReviewContext, lead: SignedIn) -> list[str]:
    return [row.post_id for row in list_escalated(context, lead)]


def test_escalated_posts_wait_for_a_lead_longest_first_until_one_takes_them_over(
    once: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    ada, lea, leo = sign_in("ada"), sign_in("lea", "lead"), sign_in("leo", "lead")
    for post_id, decision in (("p2", "escalate"), ("p3", "escalate"), ("p1", "needs_follow_up")):
        judge(once, ada, post_id, decision)
        clock.advance(minutes=1)
    assert [(row.post_id, row.actor) for row in list_escalated(once, lea)] == [("p2", "ada"), ("p3", "ada")]
    seq = take_over(once, lea, "p2").seq
    assert list_ids(once, leo) == ["p3"]
    assert load_dashboard(once, lea).n_escalated == count_escalated(once, leo) == 1
    assert [(held.post_id, held.seq) for held in list_taken_over(once, lea)] == [("p2", seq)]
    assert list_taken_over(once, leo) == []
    with pytest.raises(AlreadyDecidedError, match="lea has taken it over"):
        take_over(once, leo, "p2")
    with pytest.raises(AlreadyDecidedError, match="not escalated"):
        take_over(once, leo, "p1")
    assert verify_chain(once, operator).is_intact


def test_what_was_taken_over_can_be_handed_back_once(once: ReviewContext, operator: SignedIn, sign_in: SignIn) -> None:
    ada, lea, leo = sign_in("ada"), sign_in("lea", "lead"), sign_in("leo", "lead")
    decided = judge(once, ada, "p3", "escalate")
    seq = take_over(once, lea, "p3").seq
    row = load_history(once, lea)[0]
    assert (row.kind, row.is_standing, row.is_undone) == ("taken_over", True, False)
    undo_take_over(once, leo, seq)
    assert list_ids(once, lea) == ["p3"]
    assert [(row.kind, row.is_standing) for row in load_history(once, lea)] == [
        ("undo", False), ("taken_over", False), ("decision", True),
    ]  # fmt: skip
    with pytest.raises(AlreadyDecidedError, match="taken back before"):
        undo_take_over(once, lea, seq)
    with pytest.raises(NotAllowedError, match="does not say that a post was taken over"):
        undo_take_over(once, lea, decided)
    assert verify_chain(once, operator).is_intact


def test_an_escalation_made_anew_waits_anew(once: ReviewContext, sign_in: SignIn) -> None:
    ada, lea = sign_in("ada"), sign_in("lea", "lead")
    seq = judge(once, ada, "p3", "escalate")
    take_over(once, lea, "p3")
    undo_decision(once, ada, seq)
    assert list_ids(once, lea) == []
    record_decision(once, ada, "p3", "escalate")
    assert list_ids(once, lea) == ["p3"]
    take_over(once, lea, "p3")
    revise_decision(once, ada, "p3", "no_concern")
    assert list_ids(once, lea) == []
    revise_decision(once, ada, "p3", "escalate")
    assert list_ids(once, lea) == ["p3"]


def test_an_escalation_waits_before_the_second_reading_and_while_readers_disagree(
    house: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    ada, bob, lea = sign_in("ada"), sign_in("bob"), sign_in("lea", "lead")
    judge(house, ada, "p3", "escalate")
    judge(house, ada, "p2", "no_concern")
    assert list_ids(house, lea) == ["p3"]
    take_over(house, lea, "p3")
    judge(house, bob, "p3", "escalate")  # agrees: it is the same escalation
    judge(house, bob, "p2", "escalate")
    assert list_ids(house, lea) == ["p2"]
    judge(house, lea, "p2", "no_concern")  # settles it
    assert list_ids(house, lea) == []
    assert verify_chain(house, operator).is_intact


def test_escalations_that_were_revised_or_overruled_are_not_looked_at_any_more(
    house: ReviewContext, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, lea = sign_in("ada"), sign_in("bob"), sign_in("lea", "lead")
    for post_id in ("p3", "p2"):
        judge(house, ada, post_id, "escalate")
    revise_decision(house, ada, "p2", "no_concern")
    judge(house, bob, "p3", "no_concern")
    settled = judge(house, lea, "p3", "no_concern")
    looked_at: list[str] = []

    def note(session: Any, *, only: Any) -> Any:
        looked_at.extend(only)
        return iterate_states(session, only=only)

    monkeypatch.setattr(escalations, "iterate_states", note)
    assert list_ids(house, lea) == looked_at == []
    undo_decision(house, lea, settled)
    assert list_ids(house, lea) == ["p3"]
    judge(house, lea, "p3", "escalate")
    assert list_ids(house, lea) == ["p3"]
    revise_decision(house, lea, "p3", "needs_follow_up")
    assert list_ids(house, lea) == []


def test_a_lead_reads_what_they_have_taken_over_and_no_other_escalated_post(
    once: ReviewContext, sign_in: SignIn
) -> None:
    ada, lea, leo = sign_in("ada"), sign_in("lea", "lead"), sign_in("leo", "lead")
    judge(once, ada, "p3", "escalate", "a plan?")
    with pytest.raises(NotAllowedError, match="not on your desk"):
        load_post(once, lea, "p3")
    seq = take_over(once, lea, "p3").seq
    post = load_post(once, lea, "p3")
    assert (post.text, post.revealed, post.standing) == ("A quiet walk, number 3.", None, None)
    assert [(read.actor, read.decision, read.note) for read in post.reads] == [("ada", "escalate", "a plan?")]
    with pytest.raises(NotAllowedError, match="not on your desk"):
        load_post(once, leo, "p3")
    undo_take_over(once, lea, seq)
    with pytest.raises(NotAllowedError, match="not on your desk"):
        load_post(once, lea, "p3")


def test_a_leads_second_reading_of_an_escalated_post_counts_for_no_agreement(
    house: ReviewContext, sign_in: SignIn
) -> None:
    ada, lea = sign_in("ada"), sign_in("lea", "lead")
    for post_id, decision in (("p3", "escalate"), ("p2", "no_concern")):
        judge(house, ada, post_id, decision)
        judge(house, lea, post_id, decision)
    assert load_agreement(house, lea).n_posts == 1


def _undo_by_another_lead(house: ReviewContext, ada: SignedIn, bob: SignedIn, leo: SignedIn) -> None:
    """A judgement that stands in the history, taken back, tells leads what was said."""
    undo_decision(house, leo, judge(house, ada, "p3", "no_concern"))
    judge(house, bob, "p3", "no_concern")


def _escalate_and_revise(house: ReviewContext, ada: SignedIn, bob: SignedIn, leo: SignedIn) -> None:
    judge(house, ada, "p3", "escalate")
    take_over(house, leo, "p3")
    revise_decision(house, ada, "p3", "no_concern")


def _take_a_second_reading_back(house: ReviewContext, ada: SignedIn, bob: SignedIn, leo: SignedIn) -> None:
    judge(house, ada, "p3", "needs_follow_up")
    undo_decision(house, bob, judge(house, bob, "p3", "no_concern"))
    release(house, bob)


@pytest.mark.parametrize("happens", [_undo_by_another_lead, _escalate_and_revise, _take_a_second_reading_back])
def test_a_leads_reading_counts_for_no_agreement_once_leads_could_see_what_another_said(
    house: ReviewContext, sign_in: SignIn, happens: Callable[..., None]
) -> None:
    ada, bob, leo = sign_in("ada"), sign_in("bob"), sign_in("leo", "lead")
    happens(house, ada, bob, leo)
    judge(house, leo, "p3", "no_concern")
    judge(house, ada, "p2", "no_concern")
    judge(house, leo, "p2", "no_concern")
    assert load_agreement(house, leo).n_posts == 1


def test_an_export_says_since_when_a_lead_answers_for_a_post(once: ReviewContext, sign_in: SignIn, clock: Any) -> None:
    ada, lea = sign_in("ada"), sign_in("lea", "lead")
    judge(once, ada, "p3", "escalate")
    judge(once, ada, "p2", "escalate")
    clock.advance(minutes=5)
    take_over(once, lea, "p3")
    rows = csv.DictReader(io.StringIO(export_decisions(once, lea).content.decode()))
    assert {row["post_id"]: row["taken_over_at"] for row in rows} == {
        "p2": "",
        "p3": "2026-01-05T09:05:00.000000+00:00",
    }
