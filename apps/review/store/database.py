"""Opening the database: create or migrate it, and one way to read and one to write."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from apps.review.store.addresses import ENVIRONMENT_VARIABLE, KEY_VARIABLE, is_postgresql, resolve_url
from apps.review.store.engines import WAIT_SECONDS, create_store_engine
from apps.review.store.errors import StoreBusyError, StoreUnavailableError
from screening.exceptions import ConfigError

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MESSAGE = f"the database was busy for {WAIT_SECONDS} seconds; nothing was saved. Try again"
_BUSY = ("database is locked", "database table is locked", "lock timeout")
_BUSY_STATES = ("55P03", "40P01", "40001")  # PostgreSQL: lock not available, deadlock, serialization


class Store:
    """A migrated database.

    Attributes
    ----------
    engine : sqlalchemy.Engine
        For inspection and tests; everything else goes through :meth:`read` and :meth:`write`.
    url : str
        Names the database to another process of ours; may hold a password, so it is not for printing.
    """

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        self.url = url
        self._turn = threading.Lock()
        level = {"isolation_level": "REPEATABLE READ"} if self.is_postgresql else {}
        self._sessions = sessionmaker(engine.execution_options(**level), expire_on_commit=False)
        self._writing_sessions = {
            is_durable: sessionmaker(
                engine.execution_options(is_write=True, is_durable=is_durable), expire_on_commit=False
            )
            for is_durable in (True, False)
        }

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is a PostgreSQL one."""
        return self.engine.dialect.name == "postgresql"

    @property
    def shown_name(self) -> str:
        """The database's name without password and parameters, one of which may be a password; fit to be printed."""
        url = make_url(self.url)
        return url.set(query={}).render_as_string(hide_password=True) if self.is_postgresql else str(url.database)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session on one consistent snapshot; nothing it does is kept.

        Raises
        ------
        StoreBusyError, StoreUnavailableError
            As :meth:`write`.
        """
        with self._translate_errors(), self._sessions() as session:
            yield session

    @contextmanager
    def write(self, *, is_durable: bool = True) -> Iterator[Session]:
        """Open a session that holds the one write lock from the start; committed on leaving, or nothing happened.

        Parameters
        ----------
        is_durable : bool
            Wait until the disk has it. Without, SQLite leaves that to the next durable write: a power cut may undo the
            write, though never a killed process, and never a part of it. Good enough for a lease.

        Raises
        ------
        StoreBusyError
            If others held the lock for ten seconds; nothing was saved.
        StoreUnavailableError
            If the database is gone; nothing was saved.
        """
        with self._translate_errors(), self._take_turns(), self._writing_sessions[is_durable].begin() as session:
            session.connection()  # takes the lock now, not at the first statement
            yield session

    @contextmanager
    def _take_turns(self) -> Iterator[None]:
        """Queue the writers of this process, where SQLite would let them try again after ever longer naps."""
        if self.is_postgresql:
            yield
            return
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise StoreBusyError(_BUSY_MESSAGE)
        try:
            yield
        finally:
            self._turn.release()

    def forget_deleted(self) -> bool:
        """Bring deletions from SQLite's write-ahead log into the file now, so that neither holds what was deleted.

        Returns
        -------
        bool
            Whether that was possible: somebody who reads an older state of the file keeps it from being overwritten.
        """
        if self.is_postgresql:
            return True
        with self._translate_errors(), self.engine.connect() as connection:
            connection.rollback()  # a checkpoint runs outside transactions
            cursor = connection.connection.cursor()
            is_busy = bool(cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
            cursor.close()
        return not is_busy

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if not (isinstance(error, OperationalError) or error.connection_invalidated):
                raise
            if _is_busy(error):
                raise StoreBusyError(_BUSY_MESSAGE) from error
            message = f"the review database {self.shown_name} cannot be reached; nothing was saved. Try again later"
            raise StoreUnavailableError(message) from error


def open_store(database: str | None = None, *, must_exist: bool = False) -> Store:
    """Open the database, creating it (readable by its owner only) or bringing its tables up to date.

    Parameters
    ----------
    database : str or None
        See :func:`apps.review.store.addresses.resolve_url`. A PostgreSQL database itself is not created.
    must_exist : bool
        Refuse to create a database: a check of a mistyped name would find an empty one in order.

    Raises
    ------
    ConfigError
        If the folder or server does not answer, the file is not a database, the key is wrong, or a newer version of the
        toolkit wrote it.
    """
    url = resolve_url(database)
    if not is_postgresql(make_url(url)):
        _create_private_file(url, must_exist=must_exist)
    store = Store(create_store_engine(url), url)
    try:
        _migrate(store, must_exist=must_exist)
    except ConfigError:
        store.engine.dispose()
        raise
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
        _keep_private(path)
    except OSError as error:
        message = f"review database {path} cannot be opened ({error.strerror}); check the folder and its permissions"
        raise ConfigError(message) from error


def _keep_private(path: Path) -> None:
    """Take others' access away: a restored backup is readable by everyone where the shell's mask says so."""
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if file.is_file() and file.stat().st_uid == os.geteuid() and file.stat().st_mode & 0o077:
            file.chmod(0o600)


def _migrate(store: Store, *, must_exist: bool) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    try:
        with store.read() as session:
            found = MigrationContext.configure(session.connection()).get_current_revision()
        if found == head:
            return
        if found is None and must_exist:
            message = f"there is no review database in {store.shown_name}; name it with --database"
            raise ConfigError(message)
        with store.write() as session:
            config.attributes["connection"] = session.connection()
            command.upgrade(config, "head")
    except (DBAPIError, CommandError, StoreUnavailableError) as error:
        raise ConfigError(_explain(store, head)) from error


def _explain(store: Store, head: str | None) -> str:
    if store.is_postgresql:
        return (
            f"{store.shown_name} cannot be used: the server must answer, and the tables be at revision {head}; missing "
            "or older ones are brought there by a user who may create tables (`screening review migrate`)"
        )
    return (
        f"{store.shown_name} is not a review database this version can read with this key; expected a SQLite file at "
        f"revision {head} or older (an encrypted one needs {KEY_VARIABLE} and its key; a plain one none). Restore a "
        "backup, or upgrade the toolkit"
    )


def _is_busy(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state in _BUSY_STATES or any(words in str(error.orig) for words in _BUSY)
