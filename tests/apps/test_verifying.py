import sqlite3
from collections.abc import Callable

import pytest

from apps.review.identity.records import SignedIn
from apps.review.services.accounts import add_user, change_role, deactivate_user, reactivate_user
from apps.review.services.context import ReviewContext
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_post
from apps.review.services.verifying import verify_chain
from apps.review.store.guards import list_guards

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]


@pytest.fixture
def decided(filled: ReviewContext, sign_in: SignIn) -> ReviewContext:
    """Events: 1 imported, 2 sign-in failed, 3 user added, 4 sign-in, 5 opened, 6 decision, 7 opened, 8 decision."""
    ada = sign_in()
    for post_id in ("p3", "p2"):
        claim_post(filled, ada, post_id)
        record_decision(filled, ada, post_id, "escalate", "a note")
    return filled


def tamper(context: ReviewContext, *statements: str) -> None:
    """Do what someone with the database and without our triggers could do, then put the triggers back."""
    if not context.store.is_postgresql:
        _tamper_with_file(str(context.store.engine.url.database), statements)
        return
    tables = ("events", "posts", "post_texts", "notes", "queue")
    guards = list_guards("postgresql").items()
    with context.store.engine.begin() as connection:
        for table in tables:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement in statements:
            connection.exec_driver_sql(statement)
        for name, guard in guards:
            connection.exec_driver_sql(f"ALTER TABLE {guard.table} ENABLE ALWAYS TRIGGER {name}")


def _tamper_with_file(path: str, statements: tuple[str, ...]) -> None:
    with sqlite3.connect(path) as bare:
        triggers = bare.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            bare.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            bare.execute(statement)
        for _, sql in triggers:
            bare.execute(sql)
    bare.close()


def test_an_untouched_store_is_intact(decided: ReviewContext, operator: SignedIn) -> None:
    result = verify_chain(decided, operator)
    assert result.is_intact
    assert result.n_events == 8
    assert verify_chain(decided, operator, known_head=result.head).is_intact


@pytest.mark.parametrize(
    ("statement", "first_bad_event", "problem"),
    [
        ("UPDATE events SET decision = 'no_concern' WHERE seq = 6", 6, "content does not fit"),
        ("UPDATE events SET at = '2020-01-01' WHERE seq = 5", 5, "content does not fit"),
        ("UPDATE events SET hash = 'x' WHERE seq = 8", 8, "content does not fit"),
        ("DELETE FROM events WHERE seq = 5", 6, "event 5 is missing"),
        ("UPDATE posts SET risk = 0.1 WHERE post_id = 'p3'", 1, "scores of its imported posts"),
        ("DELETE FROM posts WHERE post_id = 'p1'", 1, "scores of its imported posts"),
        ("UPDATE post_texts SET text = 'other words' WHERE post_id = 'p2'", 1, "text of its imported post p2"),
        ("UPDATE notes SET text = 'other words' WHERE event_seq = 6", 6, "note was changed"),
        ("INSERT INTO notes VALUES (5, 'a forged note', 'salt')", 5, "note was changed"),
    ],
)
def test_tampering_is_found_and_the_first_bad_event_named(
    decided: ReviewContext, operator: SignedIn, statement: str, first_bad_event: int, problem: str
) -> None:
    tamper(decided, statement)
    result = verify_chain(decided, operator)
    assert (result.first_bad_event, problem in (result.problem or "")) == (first_bad_event, True)


@pytest.mark.parametrize(
    ("statement", "first_bad_event", "problem"),
    [
        ("DELETE FROM post_texts WHERE post_id = 'p3'", 1, "text of its imported post p3 is missing"),
        ("DELETE FROM notes WHERE event_seq = 6", 6, "note is missing"),
        ("UPDATE posts SET is_audit = true WHERE post_id = 'p3'", 1, "scores of its imported posts"),
    ],
)
def test_what_is_missing_without_an_erasure_is_tampering(
    decided: ReviewContext, operator: SignedIn, statement: str, first_bad_event: int, problem: str
) -> None:
    tamper(decided, statement)
    result = verify_chain(decided, operator)
    assert (result.first_bad_event, problem in (result.problem or "")) == (first_bad_event, True)


def test_a_shortened_chain_shows_against_a_head_kept_elsewhere(decided: ReviewContext, operator: SignedIn) -> None:
    head = verify_chain(decided, operator).head
    tamper(decided, "DELETE FROM notes WHERE event_seq = 8", "DELETE FROM events WHERE seq >= 7")
    assert "known head" in (verify_chain(decided, operator, known_head=head).problem or "")


def test_a_queue_that_lies_is_found(decided: ReviewContext, operator: SignedIn) -> None:
    tamper(decided, "DELETE FROM queue")
    assert "queue does not fit the events at post p1" in (verify_chain(decided, operator).problem or "")


def test_a_queue_that_asks_for_another_reading_than_the_events_is_found(
    decided: ReviewContext, operator: SignedIn
) -> None:
    tamper(decided, "UPDATE queue SET stage = 'second'")
    assert "queue does not fit the events at post p1" in (verify_chain(decided, operator).problem or "")


def test_a_removed_trigger_is_found(decided: ReviewContext, operator: SignedIn) -> None:
    suffix = " ON events" if decided.store.is_postgresql else ""
    with decided.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER events_no_update" + suffix)
    assert "events_no_update" in (verify_chain(decided, operator).problem or "")


FORGED_POST = (
    "INSERT INTO posts (post_id, import_seq, imported_at, triage, risk, priority, scores, model_version, text_digest) "
    "SELECT 'p8', 4, imported_at, triage, risk, priority, scores, model_version, text_digest "
    "FROM posts WHERE post_id = 'p1'"
)
FORGED_ACCOUNT = (
    "INSERT INTO users (name, role, provider, is_active, is_generated, must_change_password, n_failures, created_at) "
    "VALUES ('eve', 'admin', 'proxy', true, false, false, 0, '2026')"
)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (FORGED_POST, "post p8 was put in by no import"),
        ("UPDATE queue SET priority = 9 WHERE post_id = 'p1'", "what was imported at post p1"),
        ("UPDATE queue SET community = 'elsewhere' WHERE post_id = 'p1'", "what was imported at post p1"),
        ("UPDATE users SET role = 'lead' WHERE name = 'ada'", "the account ada is not what the events say"),
        ("UPDATE users SET is_active = false WHERE name = 'ada'", "the account ada is not what the events say"),
        (FORGED_ACCOUNT, "the account eve is not what the events say"),
    ],
)
def test_tables_beside_the_chain_that_say_something_else_are_found(
    decided: ReviewContext, operator: SignedIn, statement: str, problem: str
) -> None:
    tamper(decided, statement)
    assert problem in (verify_chain(decided, operator).problem or "")


def test_every_change_of_an_account_by_the_toolkit_is_in_order(
    decided: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    sign_in("bob")
    change_role(decided, operator, name="bob", role="lead")
    deactivate_user(decided, operator, name="bob")
    assert verify_chain(decided, operator).is_intact
    reactivate_user(decided, operator, name="bob")
    add_user(decided, operator, name="cy@example.org", role="auditor", provider="oidc")
    assert verify_chain(decided, operator).is_intact


def test_a_trigger_that_would_swallow_events_is_found(decided: ReviewContext, operator: SignedIn) -> None:
    with decided.store.engine.begin() as connection:
        if decided.store.is_postgresql:
            connection.exec_driver_sql(
                "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$"
            )
            connection.exec_driver_sql(
                "CREATE TRIGGER a_swallow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION swallow()"
            )
        else:
            connection.exec_driver_sql(
                "CREATE TRIGGER a_swallow BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END"
            )
    assert "a_swallow" in (verify_chain(decided, operator).problem or "")


@pytest.mark.parametrize("head", ["\N{SUPERSCRIPT TWO}:x", "99999999999999999999:x", ":", "-1:x"])
def test_a_known_head_that_is_none_is_not_in_the_chain(decided: ReviewContext, operator: SignedIn, head: str) -> None:
    assert "known head" in (verify_chain(decided, operator, known_head=head).problem or "")
