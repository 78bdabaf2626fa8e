import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.errors import AlreadyDecidedError, LeaseLostError, NotAllowedError, NotSignedInError
from apps.review.services.history import load_history
from apps.review.services.importing import import_scores
from apps.review.services.judging import record_decision, revise_decision, undo_decision
from apps.review.services.leases import claim_next, claim_post, extend_lease
from apps.review.services.posts import load_post
from apps.review.services.queue import count_queue, load_queue
from apps.review.services.verifying import verify_chain
from apps.review.store.models import Event, Note
from screening.exceptions import ConfigError

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]
MakeTable = Callable[..., pd.DataFrame]


def test_the_most_urgent_post_opens_first_and_leaves_the_queue_when_decided(
    filled: ReviewContext, sign_in: SignIn
) -> None:
    ada = sign_in()
    opened = []
    while (post_id := claim_next(filled, ada)) is not None:
        opened.append(post_id)
        record_decision(filled, ada, post_id, "no_concern")
    assert opened == ["p3", "p2", "p1"]
    assert count_queue(filled, ada).n_waiting == 0


def test_queue_pages_by_key_hold_every_post_once(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    import_scores(context, operator, make_scores(25), make_posts(25))
    ada, seen, after = sign_in(), [], None
    while rows := load_queue(context, ada, after=after, limit=7):
        seen += [row.post_id for row in rows]
        after = (rows[-1].priority, rows[-1].post_id)
    assert len(seen) == len(set(seen)) == 24


def test_scores_stay_hidden_until_the_first_judgement(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    post_id = claim_next(filled, ada)
    assert post_id is not None
    assert load_post(filled, ada, post_id).revealed is None
    assert all(row.triage is None and row.risk is None for row in load_queue(filled, ada))
    record_decision(filled, ada, post_id, "unsure")
    revealed = load_post(filled, ada, post_id).revealed
    assert revealed is not None
    assert (revealed.triage, revealed.risk) == ("refer", 0.75)


def test_scores_are_shown_at_once_when_the_house_does_not_judge_blind(filled: ReviewContext, sign_in: SignIn) -> None:
    open_house = ReviewContext(filled.store, ReviewSettings(is_blind=False), filled.clock)
    ada = sign_in()
    assert load_post(open_house, ada, claim_next(open_house, ada) or "").revealed is not None
    assert load_queue(open_house, ada)[0].triage == "refer"


def test_a_revision_is_kept_beside_the_first_judgement(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p2")
    record_decision(filled, ada, "p2", "no_concern")
    revise_decision(filled, ada, "p2", "escalate", "changed my mind")
    rows = load_history(filled, ada)
    assert [(row.kind, row.decision, row.is_standing) for row in rows] == [
        ("revision", "escalate", True),
        ("decision", "no_concern", False),
    ]


def test_undo_is_a_new_event_and_brings_the_post_back_to_the_same_desk(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p1")
    receipt = record_decision(filled, ada, "p1", "no_concern")
    undo_decision(filled, ada, receipt.seq)
    assert claim_next(filled, ada) == "p1"
    assert [row.kind for row in load_history(filled, ada)] == ["undo", "decision"]
    with pytest.raises(AlreadyDecidedError, match="does not stand any more"):
        undo_decision(filled, ada, receipt.seq)
    assert load_post(filled, ada, "p1").revealed is not None  # the scores were seen and are not unseen by an undo


def test_undoing_a_revision_lets_the_first_judgement_stand_again(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p1")
    first = record_decision(filled, ada, "p1", "no_concern")
    revision = revise_decision(filled, ada, "p1", "escalate")
    with pytest.raises(AlreadyDecidedError):
        undo_decision(filled, ada, first.seq)
    undo_decision(filled, ada, revision.seq)
    standing = load_post(filled, ada, "p1").standing
    assert standing is not None
    assert standing.seq == first.seq
    assert count_queue(filled, ada).n_waiting == 2


def test_only_a_lead_takes_back_someone_elses_decision(filled: ReviewContext, sign_in: SignIn) -> None:
    ada, bob, lea = sign_in("ada"), sign_in("bob"), sign_in("lea", "lead")
    claim_post(filled, ada, "p1")
    receipt = record_decision(filled, ada, "p1", "no_concern")
    with pytest.raises(NotAllowedError, match="ask a lead"):
        undo_decision(filled, bob, receipt.seq)
    with pytest.raises(NotAllowedError, match="only your own standing decision"):
        revise_decision(filled, lea, "p1", "escalate")
    undo_decision(filled, lea, receipt.seq)
    assert claim_post(filled, bob, "p1") == "p1"


def test_a_post_is_never_on_two_desks(filled: ReviewContext, sign_in: SignIn) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    assert claim_next(filled, ada) == "p3"
    assert claim_next(filled, bob) == "p2"
    with pytest.raises(LeaseLostError):
        claim_post(filled, bob, "p3")
    with pytest.raises(LeaseLostError, match="another reviewer"):
        record_decision(filled, bob, "p3", "escalate")
    with pytest.raises(NotAllowedError, match="not on your desk"):
        load_post(filled, bob, "p3")


def test_eight_reviewers_at_once_get_different_posts_and_lose_no_decision(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    house = replace(context, settings=ReviewSettings(second_read_fraction=0.0))
    import_scores(house, operator, make_scores(81), make_posts(81))
    people = [sign_in(f"reviewer{i}") for i in range(8)]

    def work(person: SignedIn) -> list[str]:
        decided = []
        for _ in range(10):
            post_id = claim_next(house, person)
            assert post_id is not None
            record_decision(house, person, post_id, "no_concern")
            decided.append(post_id)
        return decided

    with ThreadPoolExecutor(8) as pool:
        decided = [post_id for ids in pool.map(work, people) for post_id in ids]
    assert len(decided) == len(set(decided)) == 80
    assert count_queue(house, people[0]).n_waiting == 0
    assert verify_chain(house, operator).is_intact


@pytest.mark.parametrize("keep", [claim_post, extend_lease])
def test_a_post_asked_for_again_stays_on_the_desk_for_a_whole_lease(
    filled: ReviewContext, sign_in: SignIn, clock: Any, keep: Callable[..., object]
) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p3")
    clock.advance(minutes=10)
    keep(filled, ada, "p3")
    clock.advance(minutes=10)
    bob = sign_in("bob")
    assert claim_next(filled, bob) == "p2"
    with pytest.raises(LeaseLostError, match="not on your desk any more"):
        extend_lease(filled, bob, "p3")


def test_an_expired_lease_frees_the_post_for_the_next_reviewer(
    filled: ReviewContext, sign_in: SignIn, clock: Any
) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    claim_next(filled, ada)
    clock.advance(minutes=14)
    bob = sign_in("bob")
    assert claim_next(filled, bob) == "p2"
    clock.advance(minutes=1)
    assert claim_post(filled, bob, "p3") == "p3"
    with pytest.raises(LeaseLostError):
        record_decision(filled, sign_in("ada"), "p3", "escalate")


def test_deciding_twice_changes_nothing_the_second_time(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p3")
    record_decision(filled, ada, "p3", "escalate")
    with pytest.raises(AlreadyDecidedError):
        record_decision(filled, ada, "p3", "no_concern")
    assert [row.decision for row in load_history(filled, ada)] == ["escalate"]


def test_unknown_decisions_and_endless_notes_are_refused(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p3")
    with pytest.raises(ConfigError, match="a decision is one of"):
        record_decision(filled, ada, "p3", "maybe")
    with pytest.raises(ConfigError, match="at most 4000"):
        record_decision(filled, ada, "p3", "unsure", "x" * 4001)


def test_a_note_stands_in_its_own_table_and_not_in_the_event(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    claim_post(filled, ada, "p3")
    receipt = record_decision(filled, ada, "p3", "escalate", "  call the duty clinician ")
    with filled.store.read() as session:
        assert session.get_one(Note, receipt.seq).text == "call the duty clinician"
        assert "duty" not in session.get_one(Event, receipt.seq).payload


@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_roles_without_judging_neither_read_posts_nor_decide(filled: ReviewContext, sign_in: SignIn, role: str) -> None:
    person = sign_in("max", role)
    for attempt in (
        lambda: claim_next(filled, person),
        lambda: load_queue(filled, person),
        lambda: count_queue(filled, person),
        lambda: load_post(filled, person, "p3"),
        lambda: record_decision(filled, person, "p3", "escalate"),
        lambda: undo_decision(filled, person, 1),
    ):
        with pytest.raises(NotAllowedError, match=f"the role {role} may not judge"):
            attempt()


def test_a_reviewer_neither_imports_nor_verifies(
    filled: ReviewContext, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    ada = sign_in()
    with pytest.raises(NotAllowedError):
        import_scores(filled, ada, make_scores(), make_posts())
    with pytest.raises(NotAllowedError):
        verify_chain(filled, ada)


def test_a_reviewer_sees_their_own_history_and_an_auditor_everyones_without_notes(
    filled: ReviewContext, sign_in: SignIn
) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    for person, post_id in ((ada, "p3"), (bob, "p2")):
        claim_post(filled, person, post_id)
        record_decision(filled, person, post_id, "escalate", "a note")
    assert [row.actor for row in load_history(filled, ada)] == ["ada"]
    rows = load_history(filled, sign_in("eve", "auditor"))
    assert [(row.actor, row.note) for row in rows] == [("bob", None), ("ada", None)]
    assert [row.actor for row in load_history(filled, sign_in("eve"), before=rows[0].seq)] == ["ada"]


def test_nothing_works_without_a_signed_in_user_or_after_the_timeout(
    filled: ReviewContext, sign_in: SignIn, clock: Any
) -> None:
    ada = sign_in()
    with pytest.raises(NotSignedInError):
        load_queue(filled, None)  # type: ignore[arg-type]  # what a careless view would pass
    clock.advance(minutes=15)
    with pytest.raises(NotSignedInError, match="sign in again"):
        claim_next(filled, ada)


def test_an_acknowledged_decision_survives_kill_9(filled: ReviewContext, sign_in: SignIn) -> None:
    sign_in()
    database = filled.store.url
    script = f"""
        import os, signal
        from datetime import UTC, datetime
        from pydantic import SecretStr
        from apps.review.identity.local import LocalAccounts
        from apps.review.identity.records import SignInRequest
        from apps.review.services.context import ReviewContext
        from apps.review.services.judging import record_decision
        from apps.review.services.leases import claim_next
        from apps.review.store.database import open_store

        context = ReviewContext(open_store({database!r}))
        request = SignInRequest(user_name="ada", password=SecretStr("a long enough password"))
        ada = LocalAccounts(context.store).identify(request, context.clock())
        receipt = record_decision(context, ada, claim_next(context, ada), "escalate")
        os.write(1, receipt.hash.encode())
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == -9, done.stderr.decode()
    with filled.store.read() as session:
        event = session.scalars(select(Event).where(Event.kind == "decision")).one()
    assert (event.post_id, event.hash) == ("p3", done.stdout.decode())
