"""Filters, counts, search, near-duplicates and the daily limits; and what a page costs at any size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import delete, event, insert, text

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext, ReviewSettings, read_settings
from apps.review.services.errors import DailyCapReachedError, LeaseLostError, NotAllowedError
from apps.review.services.facets import load_facets
from apps.review.services.filters import QueueFilters
from apps.review.services.groups import decide_group, load_group
from apps.review.services.history import load_history
from apps.review.services.importing import import_scores
from apps.review.services.judging import record_decision, undo_decision
from apps.review.services.leases import claim_next, claim_post
from apps.review.services.posts import load_post
from apps.review.services.queue import count_queue, load_queue
from apps.review.services.search import search_posts
from apps.review.services.stages import load_judgements
from apps.review.services.verifying import verify_chain
from apps.review.services.workload import load_workload, take_break
from apps.review.store.events import append_event
from apps.review.store.models import Post, PostText, QueueItem
from screening.exceptions import ConfigError
from tests.apps.judged_posts import judge

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]
MakeTable = Callable[..., pd.DataFrame]


@contextmanager
def count_statements(context: ReviewContext) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(context.store.engine, "before_cursor_execute", note)
    yield statements
    event.remove(context.store.engine, "before_cursor_execute", note)


def fill(context: ReviewContext, n_posts: int) -> None:
    """Put posts in without reading a file; enough of them, and the import's own code would be what is timed."""
    with context.store.write() as session:
        seq = append_event(session, at=context.clock(), actor="t", kind="imported").seq
        at = "2026-01-05T09:00:00.000000+00:00"
        rows = [
            {
                "post_id": f"x{i:06d}", "import_seq": seq, "imported_at": at, "triage": ("refer", "review")[i % 2],
                "risk": 0.5, "priority": 2.0 * (i % 2) + i / n_posts, "scores": {"risk_urgent": 0.5},
                "model_version": "m", "text_digest": "d", "n_characters": i % 4_000, "community": f"c{i % 7}",
                "duplicate_group": None, "is_audit": i % 11 == 0,
            }
            for i in range(n_posts)
        ]  # fmt: skip
        session.execute(insert(Post), rows)
        session.execute(insert(PostText), [{"post_id": row["post_id"], "text": "words", "salt": "s"} for row in rows])
        kept = set(QueueItem.__table__.columns.keys())
        session.execute(insert(QueueItem), [{name: row[name] for name in row if name in kept} for row in rows])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["p1", "p2", "p3"]),
        ({"triage": "review"}, ["p1"]),
        ({"community": "north"}, ["p1", "p3"]),
        ({"min_characters": 24}, ["p2", "p3"]),
        ({"max_characters": 23}, ["p1"]),
        ({"import_seq": 99}, []),
        ({"import_seq": 1}, ["p1", "p2", "p3"]),
        ({"waiting_at_least": timedelta(hours=2)}, []),
        ({"waiting_at_least": timedelta(hours=1)}, ["p1", "p2", "p3"]),
        ({"waiting_at_most": timedelta(minutes=59)}, []),
        ({"is_audit": True}, []),
        ({"community": "north", "triage": "refer"}, ["p3"]),
    ],
)
def test_filters_choose_pages_counts_and_the_next_post_alike(
    context: ReviewContext,
    operator: SignedIn,
    sign_in: SignIn,
    clock: Any,
    make_scores: MakeTable,
    make_posts: MakeTable,
    filters: dict[str, Any],
    expected: list[str],
) -> None:
    posts = make_posts().assign(community=["south", "north", None, "north"])
    posts.loc[[2, 3], "text"] += " And back."
    import_scores(context, operator, make_scores(), posts)
    clock.advance(hours=1)
    lea, wanted = sign_in("lea", "lead"), QueueFilters(**filters)
    assert sorted(row.post_id for row in load_queue(context, lea, filters=wanted)) == expected
    assert count_queue(context, lea, wanted).n_waiting == len(expected)
    assert claim_next(context, lea, wanted) == (max(expected) if expected else None)


@pytest.mark.parametrize(
    "filters", [QueueFilters(triage="refer"), QueueFilters(is_audit=False), QueueFilters(import_seq=1)]
)
def test_blind_reviewers_cannot_filter_by_what_is_hidden(
    filled: ReviewContext, sign_in: SignIn, filters: QueueFilters
) -> None:
    ada = sign_in()
    for service in (claim_next, count_queue):
        with pytest.raises(NotAllowedError, match="stay hidden"):
            service(filled, ada, filters)
    with pytest.raises(NotAllowedError, match="stay hidden"):
        load_queue(filled, ada, filters=filters)
    open_house = replace(filled, settings=ReviewSettings(is_blind=False))
    assert count_queue(open_house, ada, QueueFilters(triage="refer")).n_waiting == 2


@pytest.mark.parametrize("filters", [QueueFilters(triage="refer"), QueueFilters(is_audit=False)])
def test_a_judgement_of_a_post_found_by_its_level_is_not_blind(
    filled: ReviewContext, sign_in: SignIn, filters: QueueFilters
) -> None:
    lea = sign_in("lea", "lead")
    claim_next(filled, lea, filters)
    record_decision(filled, lea, "p3", "no_concern")
    claim_post(filled, lea, "p2")
    claim_post(filled, lea, "p2", filters)  # found once more while it lies on the desk
    record_decision(filled, lea, "p2", "no_concern")
    claim_next(filled, lea, QueueFilters(max_characters=1_000))
    record_decision(filled, lea, "p1", "no_concern")
    with filled.store.read() as session:
        readings = [load_judgements(session, post_id)[0] for post_id in ("p3", "p2", "p1")]
    assert [own.is_blind for own in readings] == [False, False, True]


def test_facets_count_what_waits_and_hide_the_audit_from_blind_reviewers(
    context: ReviewContext, sign_in: SignIn
) -> None:
    fill(context, 70)
    facets = load_facets(context, sign_in("lea", "lead"))
    assert [facet.n_waiting for facet in facets.imports] == [70]
    assert [(facet.community, facet.n_waiting) for facet in facets.communities] == [(f"c{i}", 10) for i in range(7)]
    assert [facet.n_waiting for facet in facets.lengths] == [70, 0, 0, 0]
    assert facets.n_audit == 7
    seen = load_facets(context, sign_in())
    assert (seen.n_audit, seen.imports) == (None, ())
    assert len(load_facets(replace(context, settings=ReviewSettings(is_blind=False)), sign_in()).imports) == 1


def test_a_queue_page_needs_the_same_statements_at_any_size(context: ReviewContext, sign_in: SignIn) -> None:
    ada, n_statements = sign_in(), []
    for n_posts in (100, 3_000):
        if n_posts > 100:
            with context.store.write() as session:
                session.execute(delete(QueueItem))
                session.execute(delete(PostText))
                session.execute(text("DROP TRIGGER posts_no_delete" + " ON posts" * context.store.is_postgresql))
                session.execute(delete(Post))
        fill(context, n_posts)
        with count_statements(context) as statements:
            count_queue(context, ada)
            load_queue(context, ada, after=(0.5, "x"))
            load_facets(context, ada)
        n_statements.append(len(statements))
    assert n_statements[0] == n_statements[1]


def test_a_page_of_the_queue_is_found_through_an_index(context: ReviewContext, sign_in: SignIn) -> None:
    fill(context, 3_000)
    lea = sign_in("lea", "lead")
    for filters, index in [
        (QueueFilters(), "ix_queue_priority_post_id"),
        (QueueFilters(community="c3"), "ix_queue_community_priority_post_id"),
        (QueueFilters(triage="refer"), "ix_queue_triage_priority_post_id"),
    ]:
        with count_statements(context) as statements:
            load_queue(context, lea, filters=filters, after=(0.5, "x"))
        page = next(statement for statement in statements if "ORDER BY queue.priority" in statement)
        assert index in _explain(context, lea, filters, page)


def _explain(context: ReviewContext, person: SignedIn, filters: QueueFilters, page: str) -> str:
    """Ask the database for its plan of the statement, with the parameters the service gives it."""
    parameters: list[Any] = []

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_rest: Any) -> None:
        if statement == page:
            parameters.append(given)

    event.listen(context.store.engine, "before_cursor_execute", note)
    load_queue(context, person, filters=filters, after=(0.5, "x"))
    event.remove(context.store.engine, "before_cursor_execute", note)
    word = "EXPLAIN" if context.store.is_postgresql else "EXPLAIN QUERY PLAN"
    with context.store.engine.connect() as connection:
        if context.store.is_postgresql:
            connection.exec_driver_sql("ANALYZE queue")
            connection.exec_driver_sql("ANALYZE posts")
        return str(connection.exec_driver_sql(f"{word} {page}", parameters[0]).fetchall())


def test_search_by_id_takes_every_sign_literally(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    ids = ["a%b", "a_b", "aXb", "AXB-2"]
    import_scores(
        context, operator, make_scores().assign(post_id=ids, triage="refer"), make_posts().assign(post_id=ids)
    )
    ada = sign_in()
    assert [row.post_id for row in search_posts(context, ada, "a%")] == ["a%b"]
    assert [row.post_id for row in search_posts(context, ada, "a_b")] == ["a_b"]
    assert [row.post_id for row in search_posts(context, ada, "axb")] == ["AXB-2", "aXb"]
    assert search_posts(context, ada, "'; DROP TABLE posts; --") == []
    with pytest.raises(ConfigError, match="at least 2"):
        search_posts(context, ada, " a ")


def test_search_tells_what_can_be_done_with_a_post(filled: ReviewContext, sign_in: SignIn) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    claim_post(filled, ada, "p3")
    record_decision(filled, ada, "p3", "escalate")
    claim_post(filled, bob, "p2")
    found = {row.post_id: row for query in ("p1", "p2", "p3") for row in search_posts(filled, ada, query)}
    assert {i: (row.is_waiting, row.is_held_by_other, row.is_judged_by_me) for i, row in found.items()} == {
        "p1": (True, False, False),
        "p2": (True, True, False),
        "p3": (False, False, True),
    }


def test_only_a_lead_searches_the_words(filled: ReviewContext, sign_in: SignIn) -> None:
    lea = sign_in("lea", "lead")
    assert [row.post_id for row in search_posts(filled, lea, "NUMBER 2", in_text=True)] == ["p2"]
    with pytest.raises(NotAllowedError, match="search text"):
        search_posts(filled, sign_in("ada"), "number 2", in_text=True)


@pytest.fixture
def grouped(context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable) -> ReviewContext:
    """p1, p2 and p4 say nearly the same; p3 and p5 something else."""
    posts = make_posts(6)
    same = "We went for a long walk by the river today and it was quiet and cold and the light was good"
    posts["text"] = ["x", same, same.upper(), "Another thing entirely.", same + "!", "Tea."]
    summary = import_scores(context, operator, make_scores(6), posts)
    assert summary.n_grouped == 3
    return context


def test_near_duplicates_are_offered_and_decided_only_when_asked(
    grouped: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    ada = sign_in()
    claim_post(grouped, ada, "p4")
    assert load_post(grouped, ada, "p4").n_near_duplicates == 2
    assert [member.post_id for member in load_group(grouped, ada, "p4")] == ["p1", "p2"]
    with pytest.raises(NotAllowedError, match="judge the post first"):
        decide_group(grouped, ada, "p4", ["p1"])
    record_decision(grouped, ada, "p4", "escalate", "a note", reasons=["farewell"])
    assert count_queue(grouped, ada).n_waiting == 4
    (receipt,) = decide_group(grouped, ada, "p4", ["p1"])
    rows = load_history(grouped, ada)
    assert [(row.post_id, row.decision, row.reasons) for row in rows] == [
        ("p1", "escalate", ("farewell",)),
        ("p4", "escalate", ("farewell",)),
    ]
    assert load_workload(grouped, ada).n_today == 1
    undo_decision(grouped, ada, receipt.seq)
    assert {row.post_id for row in load_queue(grouped, ada)} == {"p1", "p2", "p3", "p5"}
    assert verify_chain(grouped, operator).is_intact


def test_of_many_near_duplicates_only_as_many_are_read_as_are_shown(
    context: ReviewContext, operator: SignedIn, sign_in: SignIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    scores = make_scores(60).assign(triage="refer")
    import_scores(context, operator, scores, make_posts(60).assign(text="The same quiet walk."))
    ada = sign_in()
    claim_post(context, ada, "p0")
    record_decision(context, ada, "p0", "no_concern")
    shown = [member.post_id for member in load_group(context, ada, "p0")]
    assert (len(shown), shown[:2]) == (20, ["p1", "p10"])
    assert "p9" not in shown
    assert len(decide_group(context, ada, "p0", ["p9", "p1"])) == 2
    assert load_group(context, ada, "p0")[0].post_id == "p10"


def test_a_group_is_decided_whole_or_not_at_all(grouped: ReviewContext, sign_in: SignIn) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    claim_post(grouped, ada, "p4")
    record_decision(grouped, ada, "p4", "no_concern")
    claim_post(grouped, bob, "p2")
    assert [member.post_id for member in load_group(grouped, ada, "p4")] == ["p1"]
    for member_ids in (["p1", "p2"], ["p1", "p3"], ["p1", "p4"]):
        with pytest.raises(LeaseLostError, match="Nothing was saved"):
            decide_group(grouped, ada, "p4", member_ids)
    assert count_queue(grouped, ada).n_waiting == 4
    with pytest.raises(NotAllowedError, match="not on your desk"):
        load_group(grouped, bob, "p4")


def test_the_daily_cap_refuses_another_post_until_the_next_day_of_the_house(
    filled: ReviewContext, sign_in: SignIn, clock: Any
) -> None:
    house = replace(filled, settings=ReviewSettings(daily_cap=2, time_zone="Asia/Tokyo"))
    ada = sign_in()
    for post_id in ("p3", "p2"):
        claim_post(house, ada, post_id)
        record_decision(house, ada, post_id, "no_concern")
    for attempt in (lambda: claim_next(house, ada), lambda: claim_post(house, ada, "p1")):
        with pytest.raises(DailyCapReachedError, match="2 posts today"):
            attempt()
    clock.advance(hours=5, minutes=59)  # 23:59 in Tokyo
    with pytest.raises(DailyCapReachedError):
        claim_next(house, sign_in())
    clock.advance(minutes=1)
    assert claim_next(house, sign_in()) == "p1"


def test_a_clock_that_once_ran_ahead_shuts_nobody_out(
    context: ReviewContext,
    operator: SignedIn,
    sign_in: SignIn,
    make_scores: MakeTable,
    make_posts: MakeTable,
    clock: Any,
) -> None:
    house = replace(context, settings=ReviewSettings(daily_cap=2, break_after_posts=2, second_read_fraction=0.0))
    clock.advance(days=3_650)
    import_scores(context, operator, make_scores(8), make_posts(8))
    judge(house, sign_in(), "p7", "no_concern")
    clock.advance(days=-3_650)
    for post_ids in (("p6", "p5"), ("p4", "p3")):
        ada = sign_in()
        for post_id in post_ids:
            judge(house, ada, post_id, "no_concern")
        clock.advance(minutes=1)
        load = load_workload(house, ada)
        assert (load.n_today, load.n_since_break, load.is_break_due) == (2, 2, True)
        take_break(house, ada)
        assert not load_workload(house, ada).is_break_due
        with pytest.raises(DailyCapReachedError):
            claim_next(house, ada)
        clock.advance(days=1)
    assert claim_next(house, sign_in()) == "p2"


def test_a_post_judged_twice_counts_once_and_one_that_was_taken_back_not_at_all(
    filled: ReviewContext, sign_in: SignIn
) -> None:
    ada = sign_in()
    seq = judge(filled, ada, "p3", "escalate")
    undo_decision(filled, ada, seq)
    assert load_workload(filled, ada).n_today == 0
    record_decision(filled, ada, "p3", "no_concern")
    assert load_workload(filled, ada).n_today == 1


def test_a_break_is_due_after_so_many_posts_or_so_much_time(filled: ReviewContext, sign_in: SignIn, clock: Any) -> None:
    house = replace(filled, settings=ReviewSettings(break_after_posts=2, break_after=timedelta(minutes=10)))
    ada = sign_in()
    for post_id, is_due in (("p3", False), ("p2", True)):
        claim_post(house, ada, post_id)
        record_decision(house, ada, post_id, "no_concern")
        assert load_workload(house, ada).is_break_due is is_due
    clock.advance(minutes=1)
    take_break(house, ada)
    load = load_workload(house, ada)
    assert (load.is_break_due, load.n_since_break, load.n_today) == (False, 0, 2)
    clock.advance(minutes=10)
    assert load_workload(house, ada).is_break_due


def test_house_rules_come_from_a_file_and_unknown_keys_are_named(tmp_path: Any) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "second_read_fraction: 0.1\nlease_duration: PT20M\ndaily_cap: null\ntime_zone: Europe/Berlin\n"
        "reasons:\n  escalate: [{code: plan, label: A plan is named}]\n"
    )
    settings = read_settings(path)
    assert (settings.second_read_fraction, settings.daily_cap) == (0.1, None)
    assert settings.lease_duration == timedelta(minutes=20)
    path.write_text("second_reads: 0.1\ntime_zone: Mars/Olympus\n")
    with pytest.raises(ConfigError, match=r"second_reads.*Mars/Olympus|Mars/Olympus.*second_reads"):
        read_settings(path)
    path.write_text("crisis_resources: []\nafter_escalation: ''\n")
    with pytest.raises(ConfigError, match=r"after_escalation: .*crisis_resources: "):
        read_settings(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings(tmp_path / "none.yaml")
