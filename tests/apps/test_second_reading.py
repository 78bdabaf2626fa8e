"""Second blind readings, disagreements and their settling."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from apps.review.identity.records import SignedIn
from apps.review.services.accounts import change_role
from apps.review.services.agreement import load_agreement
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.errors import AlreadyDecidedError, LeaseLostError, NotAllowedError
from apps.review.services.filters import QueueFilters
from apps.review.services.history import load_history
from apps.review.services.importing import import_scores
from apps.review.services.judging import record_decision, revise_decision, undo_decision
from apps.review.services.leases import claim_next, claim_post
from apps.review.services.posts import load_post
from apps.review.services.queue import count_queue, load_queue
from apps.review.services.stages import is_drawn_for_second_read
from apps.review.services.verifying import verify_chain
from screening.exceptions import ConfigError
from tests.apps.judged_posts import judge

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]
MakeTable = Callable[..., pd.DataFrame]
ADJUDICATION = QueueFilters(stage="adjudication")


@pytest.fixture
def house(filled: ReviewContext) -> ReviewContext:
    """Every post is read twice."""
    return replace(filled, settings=ReviewSettings(second_read_fraction=1.0))


def test_a_drawn_post_waits_for_another_reader_and_two_that_agree_settle_it(
    house: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    judge(house, ada, "p3", "escalate")
    assert load_post(house, ada, "p3").outcome is None
    assert (count_queue(house, ada).n_waiting, count_queue(house, ada).n_for_others) == (2, 1)
    assert count_queue(house, bob).n_waiting == 3
    judge(house, bob, "p3", "escalate")
    assert count_queue(house, bob).n_waiting == 2
    outcome = load_post(house, ada, "p3").outcome
    assert outcome is not None
    assert outcome.decision == "escalate"
    assert verify_chain(house, operator).is_intact


def test_nobody_reads_a_post_twice(house: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    judge(house, ada, "p3", "escalate")
    assert [row.post_id for row in load_queue(house, ada)] == ["p2", "p1"]
    with pytest.raises(LeaseLostError, match="read by you"):
        claim_post(house, ada, "p3")
    for post_id in ("p2", "p1"):
        assert claim_next(house, ada) == post_id
        record_decision(house, ada, post_id, "no_concern")
    assert claim_next(house, ada) is None


def test_a_second_reader_sees_what_a_first_one_sees_and_nothing_of_the_first(
    house: ReviewContext, sign_in: SignIn
) -> None:
    ada, bob, lea = sign_in("ada"), sign_in("bob"), sign_in("lea", "lead")
    claim_post(house, bob, "p3")
    as_first = load_post(house, bob, "p3")
    record_decision(house, bob, "p3", "escalate", "a note", reasons=["farewell"])
    claim_post(house, ada, "p3")
    assert load_post(house, ada, "p3") == as_first
    row = load_queue(house, ada)[0]
    assert (row.triage, row.risk) == (None, None)
    hidden = load_history(house, lea)[0]
    assert (hidden.is_hidden, hidden.decision, hidden.note, hidden.reasons) == (True, None, None, ())
    assert load_history(house, sign_in("eve", "auditor"))[0].decision == "escalate"


def test_a_disagreement_goes_to_a_lead_who_has_not_read_the_post(house: ReviewContext, sign_in: SignIn) -> None:
    ada, lea, leo = sign_in("ada"), sign_in("lea", "lead"), sign_in("leo", "lead")
    judge(house, ada, "p3", "escalate")
    judge(house, lea, "p3", "no_concern")
    counts = count_queue(house, leo), count_queue(house, lea), count_queue(house, sign_in("ada"))
    assert [(n.n_adjudication, n.n_adjudication_for_others) for n in counts] == [(1, 0), (0, 1), (0, 0)]
    assert claim_next(house, lea, ADJUDICATION) is None
    with pytest.raises(NotAllowedError):
        claim_next(house, sign_in("bob"), ADJUDICATION)
    with pytest.raises(LeaseLostError):
        claim_post(house, sign_in("bob"), "p3")
    assert claim_next(house, leo, ADJUDICATION) == "p3"
    post = load_post(house, leo, "p3")
    assert post.is_adjudication
    assert [(read.actor, read.decision) for read in post.reads] == [("ada", "escalate"), ("lea", "no_concern")]
    assert post.revealed is not None
    with pytest.raises(ConfigError, match="choose another decision than unsure"):
        record_decision(house, leo, "p3", "unsure")
    record_decision(house, leo, "p3", "needs_follow_up")
    outcome = load_post(house, ada, "p3").outcome
    assert outcome is not None
    assert (outcome.actor, outcome.decision) == ("leo", "needs_follow_up")
    with pytest.raises(NotAllowedError, match="a lead has settled"):
        revise_decision(house, ada, "p3", "no_concern")


@pytest.mark.parametrize(
    ("first", "second", "waits_for"),
    [
        ("unsure", "escalate", None),
        ("escalate", "unsure", "adjudication"),
        ("unsure", "unsure", "adjudication"),
        ("no_concern", "no_concern", None),
    ],
)
def test_an_unsure_reader_is_settled_by_a_sure_second_one_only(
    house: ReviewContext, sign_in: SignIn, first: str, second: str, waits_for: str | None
) -> None:
    judge(house, sign_in("ada"), "p3", first)
    judge(house, sign_in("bob"), "p3", second)
    assert count_queue(house, sign_in("lea", "lead")).n_adjudication == (1 if waits_for else 0)


def test_an_unsure_first_reading_asks_for_a_second_one_where_none_is_drawn(
    filled: ReviewContext, sign_in: SignIn
) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    judge(filled, ada, "p3", "unsure")
    judge(filled, ada, "p2", "no_concern")
    assert [row.post_id for row in load_queue(filled, bob)] == ["p3", "p1"]
    revise_decision(filled, ada, "p3", "no_concern")  # being sure afterwards does not call the second reader off
    assert [row.post_id for row in load_queue(filled, bob)] == ["p3", "p1"]


def test_revising_to_unsure_asks_for_a_second_reading(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    judge(filled, ada, "p3", "escalate")
    revision = revise_decision(filled, ada, "p3", "unsure")
    assert load_queue(filled, bob)[0].post_id == "p3"
    undo_decision(filled, ada, revision.seq)
    assert load_queue(filled, bob)[0].post_id == "p2"
    assert verify_chain(filled, operator).is_intact


def test_a_first_reader_may_revise_into_agreement_until_a_lead_looks(house: ReviewContext, sign_in: SignIn) -> None:
    ada, lea = sign_in("ada"), sign_in("lea", "lead")
    for post_id in ("p3", "p2"):
        judge(house, ada, post_id, "escalate")
        judge(house, sign_in("bob"), post_id, "no_concern")
    revise_decision(house, ada, "p3", "no_concern")
    assert count_queue(house, lea).n_adjudication == 1
    claim_next(house, lea, ADJUDICATION)
    with pytest.raises(LeaseLostError, match="reading this post right now"):
        revise_decision(house, ada, "p2", "no_concern")


def test_undo_goes_back_one_judgement_at_a_time(house: ReviewContext, operator: SignedIn, sign_in: SignIn) -> None:
    ada, bob, leo = sign_in("ada"), sign_in("bob"), sign_in("leo", "lead")
    first, second = judge(house, ada, "p3", "escalate"), judge(house, bob, "p3", "no_concern")
    claim_post(house, leo, "p3")
    third = record_decision(house, leo, "p3", "escalate").seq
    with pytest.raises(AlreadyDecidedError, match="later judgement"):
        undo_decision(house, ada, first)
    undo_decision(house, leo, third)
    assert load_post(house, leo, "p3").is_adjudication
    with pytest.raises(LeaseLostError):
        undo_decision(house, bob, second)  # the lead has it on the desk
    record_decision(house, leo, "p3", "no_concern")
    assert verify_chain(house, operator).is_intact


def test_a_lead_who_took_back_their_settling_may_settle_the_post_later(house: ReviewContext, sign_in: SignIn) -> None:
    ada, bob, leo = sign_in("ada"), sign_in("bob"), sign_in("leo", "lead")
    judge(house, ada, "p3", "escalate")
    judge(house, bob, "p3", "no_concern")
    undo_decision(house, leo, judge(house, leo, "p3", "needs_follow_up"))
    claim_post(house, leo, "p2")
    counts = count_queue(house, leo)
    assert (counts.n_adjudication, counts.n_adjudication_for_others) == (1, 0)
    assert [row.post_id for row in load_queue(house, leo, filters=ADJUDICATION)] == ["p3"]
    judge(house, leo, "p3", "escalate")
    assert count_queue(house, leo).n_adjudication == 0


def test_a_reading_that_was_taken_back_bars_nobody_from_settling_but_from_another_reading(
    house: ReviewContext, sign_in: SignIn
) -> None:
    ada, bob, leo = sign_in("ada"), sign_in("bob"), sign_in("leo", "lead")
    undo_decision(house, leo, judge(house, leo, "p3", "no_concern"))
    claim_post(house, leo, "p2")
    judge(house, ada, "p3", "escalate")
    with pytest.raises(LeaseLostError, match="read by you"):
        claim_post(house, leo, "p3")
    judge(house, bob, "p3", "no_concern")
    assert claim_post(house, leo, "p3") == "p3"


def test_who_stops_being_lead_has_no_disagreement_on_the_desk_any_more(
    house: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    ada, bob, leo = sign_in("ada"), sign_in("bob"), sign_in("leo", "lead")
    judge(house, ada, "p3", "escalate")
    judge(house, bob, "p3", "no_concern")
    claim_post(house, leo, "p3")
    change_role(house, operator, name="leo", role="reviewer")
    with pytest.raises(NotAllowedError, match="not on your desk"):
        load_post(house, leo, "p3")
    assert claim_next(house, leo) == "p2"
    assert claim_post(house, sign_in("lea", "lead"), "p3") == "p3"


def test_a_first_reading_is_not_taken_back_while_the_second_reader_reads(
    house: ReviewContext, sign_in: SignIn, clock: Any
) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    seq = judge(house, ada, "p3", "escalate")
    claim_post(house, bob, "p3")
    with pytest.raises(LeaseLostError, match="right now"):
        undo_decision(house, ada, seq)
    clock.advance(minutes=15)
    undo_decision(house, sign_in("ada"), seq)
    assert claim_next(house, sign_in("ada")) == "p3"


def test_a_tenth_is_drawn_where_the_house_says_nothing_and_earlier_decisions_stay_settled(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    import_scores(context, operator, make_scores(81), make_posts(81))
    ada, bob = sign_in("ada"), sign_in("bob")
    without = replace(context, settings=ReviewSettings(second_read_fraction=0.0))
    drawn = [post_id for post_id in (f"p{i}" for i in range(1, 81)) if is_drawn_for_second_read(post_id, 0.1, 13)]
    judge(without, ada, drawn[0], "no_concern")
    for post_id in drawn[1:]:
        judge(context, ada, post_id, "no_concern")
    assert count_queue(context, ada).n_for_others == len(drawn) - 1 > 0
    assert load_post(context, ada, drawn[0]).outcome is not None
    assert claim_post(context, bob, drawn[1]) == drawn[1]
    assert verify_chain(context, operator).is_intact


def test_about_the_asked_share_of_posts_is_drawn_and_the_same_ones_every_time(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    house = replace(context, settings=ReviewSettings(second_read_fraction=0.3, daily_cap=None))
    import_scores(house, operator, make_scores(81), make_posts(81))
    ada = sign_in("ada")
    while (post_id := claim_next(house, ada)) is not None:
        record_decision(house, ada, post_id, "no_concern")
    drawn = {row.post_id for row in load_queue(house, sign_in("bob"), limit=100)}
    # 80 posts at .3: 24 expected, standard deviation 4.1; the draw is fixed by seed and ids.
    assert len(drawn) == 22
    assert count_queue(house, ada).n_for_others == 22


def test_agreement_equals_scikit_learn_and_leaves_out_what_was_not_drawn(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    house = replace(context, settings=ReviewSettings(second_read_fraction=1.0, daily_cap=None))
    import_scores(house, operator, make_scores(31), make_posts(31))
    ada, bob, lea = sign_in("ada"), sign_in("bob"), sign_in("lea", "lead")
    rng = np.random.default_rng(5)
    words = np.array(["escalate", "no_concern", "needs_follow_up"])
    first = words[rng.integers(0, 3, 30)]
    second = np.where(rng.random(30) < 0.6, first, words[rng.integers(0, 3, 30)])
    for i, (one, other) in enumerate(zip(first, second, strict=True), start=1):
        judge(house, ada, f"p{i}", str(one))
        judge(house, bob, f"p{i}", str(other))
    revise_decision(house, bob, "p1", "unsure")  # what follows the reveal is no blind reading
    import_scores(house, operator, make_scores(32).tail(1), make_posts(32))
    not_drawn = replace(house, settings=ReviewSettings(second_read_fraction=0.0, daily_cap=None))
    judge(not_drawn, ada, "p31", "unsure")
    judge(not_drawn, bob, "p31", "escalate")
    agreement = load_agreement(house, lea)
    assert agreement.kappa.value == pytest.approx(cohen_kappa_score(first, second))
    assert (agreement.n_posts, agreement.alpha.n_samples) == (30, 30)
    assert agreement.n_agreeing == int((first == second).sum())
    assert sum(row.n for row in agreement.confusion) == 30
    assert [(row.first, row.second, row.n_posts) for row in agreement.pairs] == [("ada", "bob", 30)]
    assert agreement.kappa.interval is not None


def test_a_reading_that_was_taken_back_counts_for_no_agreement(house: ReviewContext, sign_in: SignIn) -> None:
    ada, bob, lea = sign_in("ada"), sign_in("bob"), sign_in("lea", "lead")
    for post_id in ("p1", "p2", "p3"):
        judge(house, ada, post_id, "escalate")
    judge(house, bob, "p1", "escalate")
    undone = judge(house, bob, "p2", "no_concern")
    undo_decision(house, bob, undone)
    record_decision(house, bob, "p2", "escalate")  # judged again after the scores were there to see: not blind
    assert load_agreement(house, lea).n_posts == 1


def test_reasons_are_kept_in_the_houses_order_and_unknown_ones_refused(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    claim_post(filled, ada, "p3")
    with pytest.raises(ConfigError, match=r"a reason for escalate is one of .*; found quote_or_fiction"):
        record_decision(filled, ada, "p3", "escalate", reasons=["quote_or_fiction"])
    record_decision(filled, ada, "p3", "escalate", reasons=["farewell", "plan_or_means", "farewell"])
    assert load_history(filled, ada)[0].reasons == ("plan_or_means", "farewell")
    standing = load_post(filled, ada, "p3").standing
    assert standing is not None
    assert standing.reasons == ("plan_or_means", "farewell")
