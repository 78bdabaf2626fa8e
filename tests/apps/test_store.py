import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, text
from sqlalchemy.exc import DatabaseError

from apps.review.services.context import ReviewContext
from apps.review.store.database import open_store, resolve_url
from apps.review.store.events import append_event
from apps.review.store.models import Base, PostText
from screening.exceptions import ConfigError


def test_models_and_migrations_agree(context: ReviewContext) -> None:
    with context.store.engine.connect() as connection:
        migration = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(migration, Base.metadata) == []


def test_every_connection_has_the_safe_settings(context: ReviewContext) -> None:
    with context.store.engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "recursive_triggers", "synchronous", "busy_timeout")
        }
    assert settings == {
        "journal_mode": "wal", "foreign_keys": 1, "recursive_triggers": 1, "synchronous": 2, "busy_timeout": 10_000
    }  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET decision = 'no_concern' WHERE seq = 1",
        "DELETE FROM events WHERE seq = 1",
        "INSERT OR REPLACE INTO events (seq, at, actor, kind, payload, previous_hash, hash) "
        "VALUES (1, 'now', 'mallory', 'imported', '{}', '', 'x')",
        "INSERT INTO events (seq, at, actor, kind, payload, previous_hash, hash) "
        "VALUES (9, 'now', 'mallory', 'decision', '{}', '', 'x')",
        "UPDATE posts SET risk = 0",
        "DELETE FROM posts",
        "INSERT OR REPLACE INTO posts SELECT * FROM posts LIMIT 1",
    ],
)
def test_the_database_refuses_to_change_the_record(filled: ReviewContext, statement: str) -> None:
    with pytest.raises(DatabaseError, match=r"append-only|in order|not changed|not removed"), filled.store.write() as s:
        s.execute(text(statement))


def test_replacing_an_event_is_refused_without_recursive_triggers_too(filled: ReviewContext) -> None:
    with sqlite3.connect(filled.store.engine.url.database) as bare, pytest.raises(sqlite3.IntegrityError):
        bare.execute(
            "INSERT OR REPLACE INTO events (seq, at, actor, kind, payload, previous_hash, hash) "
            "SELECT seq, at, 'mallory', kind, payload, previous_hash, hash FROM events WHERE seq = 1"
        )
    bare.close()


def test_a_failed_write_leaves_nothing(context: ReviewContext) -> None:
    def fail_halfway() -> None:
        with context.store.write() as session:
            append_event(session, at=context.clock(), actor="ada", kind="opened")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with context.store.read() as session:
        assert session.scalar(text("SELECT count(*) FROM events")) == 0


def test_a_database_error_does_not_quote_what_was_written(context: ReviewContext) -> None:
    secret = {"post_id": "p1", "text": "a planted phrase", "salt": ""}
    with pytest.raises(DatabaseError) as caught, context.store.write() as session:
        session.execute(insert(PostText), secret)
    assert "planted" not in str(caught.value)


def test_the_database_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    open_store(str(path))
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_put_back_for_everyone_to_read_is_closed_to_others_again(tmp_path: Path, empty_database: Path) -> None:
    path = tmp_path / "restored.db"
    path.write_bytes(empty_database.read_bytes())
    path.chmod(0o644)
    store = open_store(str(path))
    with store.write() as session:
        append_event(session, at=datetime(2026, 1, 5, tzinfo=UTC), actor="ada", kind="sign_in")
    assert [file.name for file in tmp_path.iterdir() if file.stat().st_mode & 0o077] == []
    assert len(list(tmp_path.iterdir())) == 3  # the log and its index too
    store.engine.dispose()


def test_opening_twice_keeps_what_is_there(filled: ReviewContext) -> None:
    with open_store(filled.store.engine.url.database).read() as session:
        assert session.scalar(text("SELECT count(*) FROM queue")) == 3


def test_the_address_comes_from_the_option_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCREENING_REVIEW_DB", "/srv/from_environment.db")
    assert resolve_url() == "sqlite:////srv/from_environment.db"
    assert resolve_url("sqlite:////srv/option.db") == "sqlite:////srv/option.db"


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("mysql://host/reviews", "SQLite or PostgreSQL, found mysql"),
        ("sqlite://", "must be a file"),
        ("/no/such/folder/review.db", "cannot be opened"),
        ("nonsense://", "SQLite or PostgreSQL"),
    ],
)
def test_unusable_addresses_are_refused(address: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        open_store(address)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but someone's notes " * 50)
    with pytest.raises(ConfigError, match="not a review database"):
        open_store(str(path))
    assert path.read_text().startswith("not a database")
