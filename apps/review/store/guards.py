"""What the database itself refuses, as SQL for SQLite and PostgreSQL.

Imported by the migrations and by ``verify``; a later change of one of these needs a new name and a migration.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_REFUSALS = {
    "events_no_update": ("events", "UPDATE", "events are append-only: UPDATE refused"),
    "events_no_delete": ("events", "DELETE", "events are append-only: DELETE refused"),
    "posts_no_update": ("posts", "UPDATE", "imported scores are not changed: UPDATE refused"),
    "posts_no_delete": ("posts", "DELETE", "imported scores are not removed: DELETE refused"),
}
_TRUNCATE_REFUSALS = {
    "events_no_truncate": ("events", "TRUNCATE", "events are append-only: TRUNCATE refused"),
    "posts_no_truncate": ("posts", "TRUNCATE", "imported scores are not removed: TRUNCATE refused"),
}

_SQLITE_IN_ORDER = """
CREATE TRIGGER events_in_order BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM events)
  OR NEW.previous_hash IS NOT COALESCE((SELECT hash FROM events ORDER BY seq DESC LIMIT 1), '')
BEGIN SELECT RAISE(ABORT, 'events are appended in order, one after the other'); END
"""
_SQLITE_IN_TIME = """
CREATE TRIGGER events_in_time BEFORE INSERT ON events
WHEN NEW.at < (SELECT at FROM events ORDER BY seq DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'events are appended in time: not before the last one'); END
"""
_SQLITE_REFUSAL = """
CREATE TRIGGER {name} BEFORE {action} ON {table}
BEGIN SELECT RAISE(ABORT, '{message}'); END
"""

_POSTGRESQL_FUNCTIONS = {
    "review_refuse": "BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END",
    "review_events_in_order": """
DECLARE last RECORD;
BEGIN
  SELECT seq, hash INTO last FROM events ORDER BY seq DESC LIMIT 1;
  IF NEW.seq IS DISTINCT FROM COALESCE(last.seq, 0) + 1
    OR NEW.previous_hash IS DISTINCT FROM COALESCE(last.hash, '') THEN
    RAISE EXCEPTION 'events are appended in order, one after the other';
  END IF;
  RETURN NEW;
END""",
    "review_events_in_time": """
BEGIN
  IF NEW.at < (SELECT at FROM events ORDER BY seq DESC LIMIT 1) THEN
    RAISE EXCEPTION 'events are appended in time: not before the last one';
  END IF;
  RETURN NEW;
END""",
}

# The last judgement of each post that no later event takes back.
STANDING_DECISIONS = """
CREATE VIEW standing_decisions AS
SELECT e.post_id, e.seq, e.decision, e.actor, e.at, e.kind
FROM events e
WHERE e.kind IN ('decision', 'revision')
  AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.seq)
  AND NOT EXISTS (
    SELECT 1 FROM events later
    WHERE later.post_id = e.post_id AND later.seq > e.seq AND later.kind IN ('decision', 'revision')
      AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = later.seq)
  )
"""


class Guard(NamedTuple):
    """One trigger: how it is made, and what a check must find in the database."""

    table: str
    statements: tuple[str, ...]


def create_first_guards(dialect: str) -> Sequence[str]:
    """Statements of the first migration."""
    if dialect == "postgresql":
        functions = [_create_function(name) for name in ("review_refuse", "review_events_in_order")]
        guards = ["events_in_order", *_REFUSALS, *_TRUNCATE_REFUSALS]
        return [*functions, *(statement for name in guards for statement in list_guards(dialect)[name].statements)]
    return [
        statement for name in ("events_in_order", *_REFUSALS) for statement in list_guards(dialect)[name].statements
    ]


def create_time_guard(dialect: str) -> Sequence[str]:
    """Statements of the migration that brought time into order."""
    functions = [_create_function("review_events_in_time")] if dialect == "postgresql" else []
    return [*functions, *list_guards(dialect)["events_in_time"].statements]


def list_guards(dialect: str) -> Mapping[str, Guard]:
    """Every trigger of an up-to-date database by name."""
    if dialect == "postgresql":
        guards = {
            "events_in_order": _call_for_each_row("events_in_order", "events", "review_events_in_order"),
            "events_in_time": _call_for_each_row("events_in_time", "events", "review_events_in_time"),
        }
        refusals = _REFUSALS | _TRUNCATE_REFUSALS
        return guards | {name: _refuse_on_postgresql(name, *refusal) for name, refusal in refusals.items()}
    guards = {
        "events_in_order": Guard("events", (_SQLITE_IN_ORDER,)),
        "events_in_time": Guard("events", (_SQLITE_IN_TIME,)),
    }
    for name, (table, action, message) in _REFUSALS.items():
        sql = _SQLITE_REFUSAL.format(name=name, action=action, table=table, message=message)
        guards[name] = Guard(table, (sql,))
    return guards


def list_function_bodies() -> Mapping[str, str]:
    """Bodies of the functions the triggers call on PostgreSQL."""
    return _POSTGRESQL_FUNCTIONS


def _create_function(name: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${_POSTGRESQL_FUNCTIONS[name]}$$"


def _call_for_each_row(name: str, table: str, function: str) -> Guard:
    create = f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
    return Guard(table, (create, _always(name, table)))


def _refuse_on_postgresql(name: str, table: str, action: str, message: str) -> Guard:
    call = f"review_refuse('{message}')"
    create = f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {call}"
    return Guard(table, (create, _always(name, table)))


def _always(name: str, table: str) -> str:
    """Let the trigger fire in every session, also one that replays another server's changes."""
    return f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
