"""Opening the database: address, SQLite settings, migrations, and one way to read and one to write."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from screening.exceptions import ConfigError

MIGRATIONS = Path(__file__).parent / "migrations"
ENVIRONMENT_VARIABLE = "SCREENING_REVIEW_DB"
DEFAULT_DATABASE = "review.db"

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # an acknowledged decision survives a power cut, not only a killed process
    "foreign_keys=ON",
    "recursive_triggers=ON",  # otherwise INSERT OR REPLACE removes rows without asking the DELETE trigger
    "busy_timeout=10000",
    "secure_delete=ON",  # erased text is overwritten, not only unlinked
)


class Store:
    """A migrated database.

    Attributes
    ----------
    engine : sqlalchemy.Engine
        For inspection and tests; everything else goes through :meth:`read` and :meth:`write`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._writing_sessions = sessionmaker(engine.execution_options(is_write=True), expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session on one consistent snapshot; nothing it does is kept."""
        with self._sessions() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that holds the write lock from the start; committed on leaving, or nothing happened."""
        with self._writing_sessions.begin() as session:
            yield session


def resolve_url(database: str | None = None) -> str:
    """Turn an option, the environment or the default into a database URL.

    Parameters
    ----------
    database : str or None
        URL or path of a SQLite file; ``None`` reads ``SCREENING_REVIEW_DB``, then falls back to ``review.db``.

    Raises
    ------
    ConfigError
        If the URL is not one, or names a database this version cannot use.

    Examples
    --------
    >>> resolve_url("/srv/review.db")
    'sqlite:////srv/review.db'
    """
    value = database or os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_DATABASE
    if "://" not in value:
        return f"sqlite:///{Path(value).absolute()}"
    try:
        backend = make_url(value).get_backend_name()
    except ArgumentError as error:
        message = "the database must be a file path or a URL such as sqlite:////srv/review.db; found neither"
        raise ConfigError(message) from error
    if backend != "sqlite":
        message = f"this version keeps reviews in SQLite only, found a {backend} URL; use sqlite:////path/review.db"
        raise ConfigError(message)
    return value


def open_store(database: str | None = None, *, must_exist: bool = False) -> Store:
    """Open the database, creating it (readable by its owner only) or bringing its tables up to date.

    Parameters
    ----------
    must_exist : bool
        Refuse to create a database: a check of a mistyped name would find an empty one in order.

    Raises
    ------
    ConfigError
        If the folder does not exist, the file is not a database, or a newer version of the toolkit wrote it.
    """
    url = resolve_url(database)
    _create_private_file(url, must_exist=must_exist)
    engine = _create_engine(url)
    store = Store(engine)
    _migrate(store)
    return store


def _create_private_file(url: str, *, must_exist: bool) -> None:
    name = make_url(url).database
    if not name or name == ":memory:":
        message = "the review database must be a file, found an in-memory address; decisions would be lost"
        raise ConfigError(message)
    path = Path(name)
    if must_exist and not path.is_file():
        message = f"there is no review database {path}; name it with --database or {ENVIRONMENT_VARIABLE}"
        raise ConfigError(message)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        message = f"review database {path} cannot be opened ({error.strerror}); check the folder and its permissions"
        raise ConfigError(message) from error


def _create_engine(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True)  # errors and logs would quote posts otherwise

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy, not the driver, says when a transaction begins
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_write = connection.get_execution_options().get("is_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

    return engine


def _migrate(store: Store) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from sqlalchemy.exc import DatabaseError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    try:
        with store.read() as session:
            if MigrationContext.configure(session.connection()).get_current_revision() == head:
                return
        with store.write() as session:
            config.attributes["connection"] = session.connection()
            command.upgrade(config, "head")
    except (DatabaseError, CommandError) as error:
        message = (
            f"{store.engine.url.database} is not a review database this version can read; expected a SQLite file at "
            f"revision {head} or older. Restore a backup, or upgrade the toolkit"
        )
        raise ConfigError(message) from error
