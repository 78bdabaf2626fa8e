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
MAX_SKEW = timedelta(minutes=5)  # between the clocks of two servers
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
                f"expected each of {', '.join(_WORDS)} at most once, with minutes, hours or days from 1 up, such as "
                f"escalated=10m, refer=4h or settle=2d; found {pair!r}"
            )
            raise ConfigError(message)
        limits[found[1]] = timedelta(**{_UNITS[found[3]]: int(found[2])})
    return limits


def _describe(wait: "Wait", limits: "Mapping[str, timedelta]", now: datetime) -> dict[str, Any]:
    limit = limits.get(wait.name)
    waited = now - wait.since if wait.since is not None else None
    is_unknown = waited is not None and waited < -MAX_SKEW  # a clock was wrong: nobody knows how long it has waited
    return {
        "name": wait.name,
        "n_posts": wait.n_posts,
        "longest_minutes": None if waited is None or is_unknown else max(0, waited // timedelta(minutes=1)),
        "limit_minutes": limit // timedelta(minutes=1) if limit is not None else None,
        "is_late": waited is not None and limit is not None and (waited > limit or is_unknown),
    }


def _to_line(row: "Mapping[str, Any]") -> str:
    since, limit = "", ""
    if row["longest_minutes"] is not None:
        since = f", the first for {_show(row['longest_minutes'])}"
    elif row["n_posts"]:
        since = ", nobody knows how long: a clock was wrong"
    if row["limit_minutes"] is not None:
        limit = f" (limit {_show(row['limit_minutes'])})"
    return f"{'LATE: ' if row['is_late'] else ''}{_WORDS[row['name']]}: {row['n_posts']:,}{since}{limit}"


def _show(n_minutes: int) -> str:
    """Show a time in its two largest units.

    Examples
    --------
    >>> _show(9), _show(70), _show(240), _show(4_330)
    ('9 min', '1 h 10 min', '4 h', '3 d')
    """
    hours, minutes = divmod(n_minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min"))]
    shown = parts[0:2] if days else parts[1:3] if hours else parts[2:]
    return " ".join(part for part in shown if not part.startswith("0 ")) or "0 min"
