"""Refusing PostgreSQL connections that could carry posts over a network in plain text."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from screening.exceptions import ConfigError

ENCRYPTED_MODES = ("require", "verify-ca", "verify-full")


def require_encryption(parameters: Mapping[str, Any]) -> None:
    """Refuse a server on another machine unless ``sslmode`` keeps libpq from falling back to plain text.

    Parameters
    ----------
    parameters : mapping
        What SQLAlchemy makes of a URL for libpq. What it lacks is taken from where libpq takes it: ``PGHOST``,
        ``PGSSLMODE`` and the like, then libpq's defaults.

    Raises
    ------
    ConfigError
        Saying what to add to the URL.
    """
    from psycopg.pq import Conninfo

    defaults = {option.keyword.decode(): option.val.decode() for option in Conninfo.get_defaults() if option.val}
    asked = defaults | {name: str(value) for name, value in parameters.items()}
    hosts = (asked.get("hostaddr") or asked.get("host", "")).split(",")
    # What a service named in the URL adds is in a file that libpq reads on its own.
    remote = ["its service"] if "service" in parameters else [host for host in hosts if not _is_this_machine(host)]
    if remote and asked["sslmode"] not in ENCRYPTED_MODES:
        message = (
            f"posts could go to {remote[0]} unencrypted: expected sslmode {', '.join(ENCRYPTED_MODES)}, found "
            f"{asked['sslmode']!r}. Add ?sslmode=verify-full&sslrootcert=FILE to the database's URL (sslmode=require "
            "encrypts, but does not check whom it reaches), or set PGSSLMODE"
        )
        raise ConfigError(message)


def _is_this_machine(host: str) -> bool:
    """Tell whether a host is a socket (a path, or none named) or a loopback address."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
