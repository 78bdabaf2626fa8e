"""Engines: how a connection is made and set up, and how a transaction begins, on each kind of database."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url

from apps.review.store.addresses import is_encrypted, is_postgresql, read_key
from apps.review.store.errors import StoreUnavailableError
from apps.review.store.remote_servers import require_encryption
from screening.exceptions import ConfigError

WAIT_SECONDS = 10  # how long a write waits for another one
_LOG_LOCK = 7_321_586  # this toolkit's number among the advisory locks of a PostgreSQL database

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # an acknowledged decision survives a power cut, not only a killed process
    "foreign_keys=ON",
    "recursive_triggers=ON",  # otherwise INSERT OR REPLACE removes rows without asking the DELETE trigger
    f"busy_timeout={WAIT_SECONDS * 1_000}",
    "secure_delete=ON",  # erased text is overwritten, not only unlinked
    "temp_store=MEMORY",  # no temporary file holds text
)


def create_store_engine(url: str) -> Engine:
    """Create the engine of a database; nothing is opened yet.

    Raises
    ------
    ConfigError
        If a key or a driver is missing, or a server on another machine could be reached unencrypted.
    """
    parsed = make_url(url)
    return _create_postgresql_engine(parsed) if is_postgresql(parsed) else _create_sqlite_engine(parsed)


def _create_sqlite_engine(url: URL) -> Engine:
    path = Path(url.database or "")
    driver, key = (_import_sqlcipher(), read_key()) if is_encrypted(url) else (sqlite3, None)

    def connect() -> Any:
        # mode=rw: a database that went away is missed, not replaced by an empty one.
        connection = driver.connect(
            f"file:{quote(str(path))}?mode=rw", uri=True, check_same_thread=False, timeout=WAIT_SECONDS
        )
        connection.isolation_level = None  # SQLAlchemy, not the driver, says when a transaction begins
        if key is not None:
            connection.execute("PRAGMA key = '" + key.replace("'", "''") + "'")
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    # Errors and logs would quote posts without hide_parameters.
    engine = create_engine(
        URL.create("sqlite", database=url.database), module=driver, creator=connect, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _remember_file(_connection: Any, record: Any) -> None:
        record.info["file"] = _identify(path)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.info.get("file") != _identify(path):
            connection.invalidate()  # the connection still writes into the file that was taken away
            message = f"the review database {path} was moved or replaced; nothing was saved. Put it back and try again"
            raise StoreUnavailableError(message)
        options = connection.get_execution_options()
        if not options.get("is_write", False):
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('is_durable', True) else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _create_postgresql_engine(url: URL) -> Engine:
    try:
        import psycopg  # noqa: F401  # asked for before SQLAlchemy does, for a better sentence
    except ImportError as error:
        message = "a PostgreSQL database needs psycopg: .venv/bin/pip install -e '.[postgresql]' -c constraints.txt"
        raise ConfigError(message) from error
    options = f"-c lock_timeout={WAIT_SECONDS * 1_000} -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,  # a connection that died with the server is replaced before it is used
        pool_size=16,
        connect_args={"options": options, "connect_timeout": WAIT_SECONDS},
    )
    require_encryption(engine.dialect.create_connect_args(url)[1])

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("is_write", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOG_LOCK})")

    return engine


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _import_sqlcipher() -> Any:
    try:
        from sqlcipher3 import dbapi2  # type: ignore[import-untyped]  # has no types
    except ImportError as error:
        message = "an encrypted database needs sqlcipher3: .venv/bin/pip install -e '.[encryption]' -c constraints.txt"
        raise ConfigError(message) from error
    return dbapi2
