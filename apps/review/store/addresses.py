"""Where the reviews are kept: a file, an encrypted file, or a PostgreSQL database."""

import os
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from screening.exceptions import ConfigError

ENVIRONMENT_VARIABLE = "SCREENING_REVIEW_DB"
KEY_VARIABLE = "SCREENING_REVIEW_KEY"
DEFAULT_DATABASE = "review.db"

_PLAIN = ("sqlite", "sqlite+pysqlite")
ENCRYPTED = "sqlite+pysqlcipher"
_POSTGRESQL = ("postgresql", "postgresql+psycopg")


def resolve_url(database: str | None = None) -> str:
    """Turn an option, the environment or the default into a database URL.

    Parameters
    ----------
    database : str or None
        URL or path of a SQLite file; ``None`` reads ``SCREENING_REVIEW_DB``, then falls back to ``review.db``. A path
        means an encrypted file where ``SCREENING_REVIEW_KEY`` is set.

    Raises
    ------
    ConfigError
        If the URL is not one, names a database this version cannot use, or holds the key of an encrypted file.

    Examples
    --------
    >>> resolve_url("/srv/review.db")
    'sqlite:////srv/review.db'
    >>> resolve_url("postgresql://reviews@db.example/reviews")
    'postgresql+psycopg://reviews@db.example/reviews'
    """
    value = database or os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_DATABASE
    if "://" not in value:
        driver = ENCRYPTED if os.environ.get(KEY_VARIABLE) else "sqlite"
        return f"{driver}:///{Path(value).absolute()}"
    try:
        url = make_url(value)
    except ArgumentError as error:
        message = "the database must be a file path or a URL such as sqlite:////srv/review.db; found neither"
        raise ConfigError(message) from error
    return _validate(url).render_as_string(hide_password=False)


def is_encrypted(url: URL) -> bool:
    """Tell whether the URL names an encrypted file."""
    return url.drivername == ENCRYPTED


def is_postgresql(url: URL) -> bool:
    """Tell whether the URL names a PostgreSQL database."""
    return url.drivername in _POSTGRESQL


def read_key() -> str:
    """Read the key of an encrypted file from the environment.

    Raises
    ------
    ConfigError
        If there is none.
    """
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        message = f"the database is to be encrypted, but {KEY_VARIABLE} holds no key; set it (it is never an argument)"
        raise ConfigError(message)
    return key


def _validate(url: URL) -> URL:
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == ENCRYPTED and url.password:
        message = f"a key does not belong in a URL, which others can read; set {KEY_VARIABLE} instead"
        raise ConfigError(message)
    if url.drivername in _PLAIN and os.environ.get(KEY_VARIABLE):
        message = (
            f"{KEY_VARIABLE} is set, but the URL names a file without encryption; name the file by its path or as "
            f"{ENCRYPTED}:////path/review.db, or unset the variable"
        )
        raise ConfigError(message)
    if url.drivername not in (*_PLAIN, ENCRYPTED, *_POSTGRESQL):
        message = (
            f"reviews are kept in SQLite or PostgreSQL, found {url.drivername}; use sqlite:////path/review.db, "
            f"{ENCRYPTED}:////path/review.db or postgresql://user@host/database"
        )
        raise ConfigError(message)
    return url
