"""Whether the triggers of this database are the ones the toolkit made."""

import re

from sqlalchemy import text
from sqlalchemy.orm import Session

from apps.review.store.guards import list_function_bodies, list_guards

_ON_SQLITE = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
_ON_POSTGRESQL = """
SELECT t.tgname, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgenabled = 'A' AND n.nspname = current_schema()
"""
_ANY_ON_POSTGRESQL = """
SELECT t.tgname, '' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND n.nspname = current_schema()
"""
_FUNCTIONS = """
SELECT p.proname, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = current_schema()
"""
_SCHEMA = re.compile(r" ON [^ .]+\.")


def find_broken_guards(session: Session) -> list[str]:
    """List the triggers (and on PostgreSQL the functions they call) that are missing, switched off or changed.

    A trigger the toolkit did not make is listed too: it could swallow events before they are written.
    """
    dialect = session.get_bind().dialect.name
    is_postgresql = dialect == "postgresql"
    found = _load(session, _ON_POSTGRESQL if is_postgresql else _ON_SQLITE)
    expected = {name: guard.statements[0] for name, guard in list_guards(dialect).items()}
    foreign = (_load(session, _ANY_ON_POSTGRESQL) if is_postgresql else found).keys() - expected.keys()
    if is_postgresql:
        found |= _load(session, _FUNCTIONS)
        expected |= list_function_bodies()
    broken = {name for name, sql in expected.items() if _plain(found.get(name, "")) != _plain(sql)}
    return sorted(broken | foreign)


def _load(session: Session, query: str) -> dict[str, str]:
    return {str(name): str(sql) for name, sql in session.execute(text(query))}


def _plain(sql: str) -> list[str]:
    return _SCHEMA.sub(" ON ", sql).split()
