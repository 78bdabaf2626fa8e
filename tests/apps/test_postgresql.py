"""What only a PostgreSQL store has to do: stop TRUNCATE, pass over locked rows, keep one chain under many writers."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner

from apps.review.cli import app
from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.identity.sessions import Sessions
from apps.review.services.accounts import add_user, set_password
from apps.review.services.audit_sampling import AuditSlice
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.erasing import erase_posts
from apps.review.services.importing import import_scores
from apps.review.services.importing_explanations import import_explanations
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_next
from apps.review.services.own_account import sign_out
from apps.review.services.verifying import verify_chain
from apps.review.store.addresses import resolve_url
from apps.review.store.database import open_store
from apps.review.store.engines import create_store_engine
from apps.review.store.events import append_event
from apps.review.store.models import Base
from screening.exceptions import ConfigError
from tests.apps.postgresql_cluster import PostgresqlCluster

BACKENDS = ("postgresql",)

SignIn = Callable[..., SignedIn]


def test_models_and_migrations_agree_on_postgresql(context: ReviewContext) -> None:
    with context.store.engine.connect() as connection:
        migration = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(migration, Base.metadata) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET decision = 'no_concern' WHERE seq = 1",
        "DELETE FROM events WHERE seq = 1",
        "TRUNCATE events CASCADE",
        "TRUNCATE posts CASCADE",
        "UPDATE posts SET risk = 0",
        "DELETE FROM posts",
        "INSERT INTO events (seq, at, actor, kind, payload, previous_hash, hash) "
        "VALUES (9, '2030', 'mallory', 'decision', '{}', '', 'x')",
        "INSERT INTO events (seq, at, actor, kind, payload, previous_hash, hash) "
        "VALUES (1, '2030', 'mallory', 'decision', '{}', '', 'x') ON CONFLICT (seq) DO UPDATE SET actor = 'mallory'",
    ],
)
def test_the_server_refuses_to_change_the_record(filled: ReviewContext, statement: str) -> None:
    def attempt(role: str) -> None:
        with filled.store.write() as session:
            session.execute(text(f"SET LOCAL session_replication_role = {role}"))
            session.execute(text(statement))

    for role in ("origin", "replica"):  # triggers fire in sessions that replay changes too
        with pytest.raises(DatabaseError, match=r"append-only|in order|not changed|not removed"):
            attempt(role)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE events DISABLE TRIGGER events_no_update",
        "DROP TRIGGER posts_no_truncate ON posts",
        "CREATE OR REPLACE FUNCTION review_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ],
)
def test_a_guard_that_was_switched_off_or_hollowed_out_is_found(
    filled: ReviewContext, operator: SignedIn, statement: str
) -> None:
    with filled.store.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert "triggers were removed or changed" in (verify_chain(filled, operator).problem or "")


def test_a_row_another_session_holds_is_passed_over_not_waited_for(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    with filled.store.engine.connect() as other:
        other.execute(text("SELECT * FROM queue WHERE post_id = 'p3' FOR UPDATE"))
        assert claim_next(filled, ada) == "p2"


def test_many_writers_append_to_one_chain(context: ReviewContext, operator: SignedIn) -> None:
    def append(worker: int) -> None:
        for i in range(25):
            with context.store.write() as session:
                append_event(session, at=context.clock(), actor=f"w{worker}", kind="break_taken", payload={"i": i})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(8)))
    result = verify_chain(context, operator)
    assert (result.is_intact, result.n_events) == (True, 200)


def test_processes_too_append_to_one_chain(context: ReviewContext, operator: SignedIn) -> None:
    script = textwrap.dedent(f"""
        from datetime import UTC, datetime
        from apps.review.store.database import open_store
        from apps.review.store.events import append_event
        store = open_store({context.store.url!r})
        for i in range(20):
            with store.write() as session:
                append_event(session, at=datetime.now(UTC), actor="p", kind="break_taken")
        store.engine.dispose()
    """)
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    result = verify_chain(context, operator)
    assert (result.is_intact, result.n_events) == (True, 60)


def test_the_digest_of_an_import_does_not_depend_on_the_servers_language(
    context: ReviewContext,
    operator: SignedIn,
    make_scores: Callable[..., pd.DataFrame],
    make_posts: Callable[..., pd.DataFrame],
) -> None:
    ids = ["a-2", "B_1", "a 10", "Ä"]  # a German or English collation orders these otherwise than code points do
    import_scores(
        context, operator, make_scores().assign(post_id=ids, triage="refer"), make_posts().assign(post_id=ids)
    )
    assert verify_chain(context, operator).is_intact
    with context.store.read() as session:
        assert list(session.scalars(text("SELECT post_id FROM posts ORDER BY post_id"))) == sorted(ids)


def test_the_password_is_in_the_url_for_a_child_and_not_in_what_is_shown(context: ReviewContext) -> None:
    url = resolve_url("postgresql://reviews:hunter2@db.example/reviews?sslpassword=hunter3")
    assert url == "postgresql+psycopg://reviews:hunter2@db.example/reviews?sslpassword=hunter3"
    store = type(context.store)(context.store.engine, url)
    assert store.shown_name == "postgresql+psycopg://reviews:***@db.example/reviews"


def test_a_server_that_does_not_answer_is_a_clear_error_without_the_password() -> None:
    with pytest.raises(ConfigError, match="the server must answer") as caught:
        open_store("postgresql://reviews:hunter2@127.0.0.1:1/reviews")
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Libpq's own defaults, whatever this machine's environment says."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    for name in ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


REMOTE = "postgresql+psycopg://reviews:hunter2@db.example/reviews"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (REMOTE, "db.example unencrypted: .* found 'prefer'"),
        (f"{REMOTE}?sslmode=prefer", "found 'prefer'"),
        (f"{REMOTE}?sslmode=disable", "found 'disable'"),
        ("postgresql+psycopg://reviews@10.0.0.7/reviews", "10.0.0.7 unencrypted"),
        ("postgresql+psycopg://reviews@[fd00::7]/reviews", "fd00::7 unencrypted"),
        ("postgresql+psycopg://reviews@/reviews?host=db.example", "db.example unencrypted"),
        ("postgresql+psycopg://reviews@/reviews?host=localhost:5432&host=db.example:5432", "db.example unencrypted"),
        ("postgresql+psycopg://reviews@localhost/reviews?hostaddr=10.0.0.7", "10.0.0.7 unencrypted"),
        ("postgresql+psycopg://reviews@/reviews?service=clinic", "its service unencrypted"),
    ],
)
def test_a_server_elsewhere_that_could_be_reached_in_plain_text_is_refused(
    no_settings: pytest.MonkeyPatch, url: str, found: str
) -> None:
    with pytest.raises(ConfigError, match=rf"{found}.*Add \?sslmode=verify-full") as caught:
        create_store_engine(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *(f"{REMOTE}?sslmode={mode}" for mode in ("require", "verify-ca", "verify-full")),
        "postgresql+psycopg://reviews@/reviews?service=clinic&sslmode=require",
        "postgresql+psycopg://reviews@/reviews",
        "postgresql+psycopg://reviews@/reviews?host=/run/postgresql",
        "postgresql+psycopg://reviews@localhost/reviews",
        "postgresql+psycopg://reviews@127.0.0.1:5433/reviews",
        "postgresql+psycopg://reviews@[::1]/reviews",
    ],
)
def test_encrypted_servers_sockets_and_this_machine_are_taken(no_settings: pytest.MonkeyPatch, url: str) -> None:
    create_store_engine(url).dispose()


def test_what_the_url_leaves_out_is_read_from_the_environment_as_libpq_reads_it(
    no_settings: pytest.MonkeyPatch,
) -> None:
    no_settings.setenv("PGSSLMODE", "verify-full")
    create_store_engine(REMOTE).dispose()
    with pytest.raises(ConfigError, match="found 'prefer'"):
        create_store_engine(f"{REMOTE}?sslmode=prefer")
    no_settings.setenv("PGSSLMODE", "allow")
    no_settings.setenv("PGHOST", "db.example")
    with pytest.raises(ConfigError, match=r"db\.example unencrypted: .* found 'allow'"):
        create_store_engine("postgresql+psycopg://reviews@/reviews")


PASSWORD = "a long enough password"
GRANTS = re.compile(r"```sql\n(GRANT .*?)```", re.DOTALL)


def work_through_a_day(context: ReviewContext, operator: SignedIn, tables: dict[str, pd.DataFrame]) -> None:
    """Everything that writes: import, accounts, sessions, decisions, an erasure."""
    import_scores(context, operator, tables["scores"], tables["posts"])
    import_scores(context, operator, tables["scores"], tables["posts"], audit=AuditSlice(n_posts=1))
    import_explanations(context, operator, tables["spans"])
    add_user(context, operator, name="ada", role="reviewer", password=PASSWORD)
    set_password(context, operator, name="ada", password=f"{PASSWORD} still")
    request = SignInRequest(user_name="ada", password=SecretStr(f"{PASSWORD} still"))
    signed_in = LocalAccounts(context.store).identify(request, context.clock())
    assert signed_in is not None
    opened = Sessions(context.store, context.settings.session, context.clock).open(signed_in)
    assert opened is not None
    post_id = claim_next(context, opened[0])
    assert post_id is not None
    record_decision(context, opened[0], post_id, "escalate", "a heron by the weir")
    sign_out(context, opened[0])
    assert erase_posts(context, operator, [post_id, "p2"]).n_texts == 2


def test_the_apps_role_does_its_work_with_the_documented_rights_and_can_change_no_table(
    postgresql: PostgresqlCluster,
    operator: SignedIn,
    clock: Any,
    make_scores: Callable[..., pd.DataFrame],
    make_posts: Callable[..., pd.DataFrame],
) -> None:
    owner = postgresql.create_bare_database("review_app")
    url = make_url(owner).set(username="review_app").render_as_string(hide_password=False)
    with pytest.raises(ConfigError, match="screening review migrate"):
        open_store(url)
    shown = CliRunner().invoke(app, ["migrate", "--database", owner], catch_exceptions=False).output
    assert "are up to date" in shown
    found = GRANTS.search((Path(__file__).parents[2] / "docs" / "review.md").read_text(encoding="utf-8"))
    assert found is not None
    administration = create_engine(owner)
    with administration.begin() as connection:
        connection.exec_driver_sql(found[1])
    administration.dispose()
    store = open_store(url)
    spans = pd.DataFrame({"post_id": ["p3"], "head": "class:urgent", "start": 0, "end": 1, "weight": 1.0})
    tables = {"scores": make_scores(), "posts": make_posts(), "spans": spans.assign(model_version="0123456789ab")}
    context = ReviewContext(store, ReviewSettings(), clock)
    work_through_a_day(context, operator, tables)
    assert verify_chain(context, operator).is_intact
    for statement in (
        "CREATE TABLE mine (a int)",
        "ALTER TABLE events DISABLE TRIGGER events_no_update",
        "DROP TABLE queue",
        "TRUNCATE highlights",
        "UPDATE posts SET risk = 0",
        "DELETE FROM events",
        "DELETE FROM alembic_version",
    ):
        with pytest.raises(DatabaseError, match=r"permission denied|must be owner"), store.write() as session:
            session.execute(text(statement))
    store.engine.dispose()
    postgresql.drop_database(owner)
