"""The command that watches the queue: what waits, and whether something waits for too long."""

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.review.cli_options import Database, open_as_operator
from screening.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from apps.review.services.waiting import Wait

_WORDS = {
    "escalated": "escalated and not taken over",
    "refer": "level refer, unread",
    "review": "level review, unread",
    "no_flag": "not flagged, unread",
    "second": "to be read by a second person",
    "settle": "to be settled by a lead",
}
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def waiting(
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TIME",
            help=f"Longest time a post may wait, such as escalated=10m, refer=4h or settle=2d; may be repeated. Names: "
            f"{', '.join(_WORDS)}",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a monitoring system")] = False,
    database: Database = None,
) -> None:
    """Say what waits and since when, in numbers alone; exit code 3 if something waits longer than its limit."""
    from apps.review.services.waiting import load_waits

    limits = read_limits(limit or [])
    context, operator = open_as_operator(database)
    waits, now = load_waits(context, operator), context.clock()
    rows = [_describe(wait, limits, now) for wait in waits]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            typer.echo(_to_line(row))
    if any(row["is_late"] for row in rows):
        raise typer.Exit(3)


def read_limits(pairs: list[str]) -> "Mapping[str, timedelta]":
    """Read limits such as ``escalated=10m``.

    Raises
    ------
    ConfigError
        If one is none, names nothing that waits, or stands twice.

    Examples
    --------
    >>> read_limits(["escalated=10m", "settle=2d"])["settle"]
    datetime.timedelta(days=2)
    """
    limits: dict[str, timedelta] = {}
    for pair in pairs:
        found = re.fullmatch(r"([a-z_]+)=([1-9][0-9]{0,4})([mhd])", pair)
        if found is None or found[1] not in _WORDS or found[1] in limits:
            message = (
                f"expected each of {', '.join(_WORDS)} at most once, with minutes, hours or days (escalated=10m, "
                f"refer=4h, settle=2d); found {', '.join(pairs)}"
            )
            raise ConfigError(message)
        limits[found[1]] = timedelta(**{_UNITS[found[3]]: int(found[2])})
    return limits


def _describe(wait: "Wait", limits: "Mapping[str, timedelta]", now: datetime) -> dict[str, object]:
    waited = max(timedelta(0), now - wait.since) if wait.since is not None else None
    limit = limits.get(wait.name)
    return {
        "name": wait.name,
        "n_posts": wait.n_posts,
        "longest_minutes": int(waited.total_seconds() // 60) if waited is not None else None,
        "limit_minutes": int(limit.total_seconds() // 60) if limit is not None else None,
        "is_late": waited is not None and limit is not None and waited > limit,
    }


def _to_line(row: "Mapping[str, Any]") -> str:
    since, limit, late = "", "", ""
    if row["longest_minutes"] is not None:
        since = f", the first for {_show(row['longest_minutes'])}"
    if row["limit_minutes"] is not None:
        limit = f" (limit {_show(row['limit_minutes'])})"
    if row["is_late"]:
        late = "LATE: "
    return f"{late}{_WORDS[row['name']]}: {row['n_posts']:,}{since}{limit}"


def _show(n_minutes: int) -> str:
    """Show a time in the unit in which it is at least 2, so that 10 minutes over an hour show.

    Examples
    --------
    >>> _show(70), _show(150), _show(4_330)
    ('70 min', '2 h', '3 d')
    """
    for unit, length in (("d", 1_440), ("h", 60)):
        if n_minutes >= 2 * length:
            return f"{n_minutes // length} {unit}"
    return f"{n_minutes} min"
