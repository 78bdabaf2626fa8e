import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from apps.review import cli_options
from apps.review.cli import app
from apps.review.cli_waiting import _WORDS, read_limits
from apps.review.services.context import ReviewContext
from apps.review.services.waiting import WAIT_NAMES
from screening.exceptions import ConfigError


def test_limits_are_read_with_their_unit() -> None:
    assert read_limits(["escalated=10m", "refer=4h", "settle=2d"]) == {
        "escalated": timedelta(minutes=10),
        "refer": timedelta(hours=4),
        "settle": timedelta(days=2),
    }
    for pairs in (["refer"], ["refer=0m"], ["refer=4"], ["refer=4w"], ["later=4h"], ["refer=4h", "refer=5h"]):
        with pytest.raises(ConfigError, match=rf"at most once, with minutes, hours or days.* found '{pairs[-1]}'"):
            read_limits(pairs)


def test_every_wait_has_words() -> None:
    assert tuple(_WORDS) == WAIT_NAMES


@pytest.fixture
def watch(filled: ReviewContext, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command so long after the import."""

    def _watch(after: timedelta, *options: str) -> Result:
        now = filled.clock() + after
        monkeypatch.setattr(cli_options, "open_review", lambda *_, **__: replace(filled, clock=lambda: now))
        return CliRunner().invoke(app, ["waiting", *options], catch_exceptions=False)

    return _watch


def test_the_command_says_what_waits_and_ends_with_3_where_something_waits_too_long(
    watch: Callable[..., Result],
) -> None:
    limits = ("--limit", "refer=4h", "--limit", "escalated=1m", "--limit", "review=3d")
    for after, exit_code in ((timedelta(hours=4), 0), (timedelta(hours=4, minutes=1), 3)):
        assert watch(after, *limits).exit_code == exit_code
    assert watch(timedelta(days=1, hours=2, minutes=3), *limits).output.splitlines() == [
        "escalated and not taken over: 0 (limit 1 min)",
        "LATE: level refer, unread: 2, the first for 1 d 2 h (limit 4 h)",
        "level review, unread: 1, the first for 1 d 2 h (limit 3 d)",
        "not flagged, unread: 0",
        "to be read by a second person: 0",
        "to be settled by a lead: 0",
    ]
    assert watch(timedelta(days=999)).exit_code == 0


def test_a_monitor_gets_minutes(watch: Callable[..., Result]) -> None:
    done = watch(timedelta(hours=5), "--json", "--limit", "refer=4h")
    rows = {row.pop("name"): row for row in json.loads(done.output)}
    assert (done.exit_code, tuple(rows)) == (3, WAIT_NAMES)
    assert rows["refer"] == {"n_posts": 2, "longest_minutes": 300, "limit_minutes": 240, "is_late": True}
    assert rows["review"] == {"n_posts": 1, "longest_minutes": 300, "limit_minutes": None, "is_late": False}
    assert rows["settle"] == {"n_posts": 0, "longest_minutes": None, "limit_minutes": None, "is_late": False}


def test_an_import_in_the_future_is_late_since_nobody_knows_how_long_it_waits(watch: Callable[..., Result]) -> None:
    assert watch(timedelta(minutes=-4), "--limit", "refer=1m").exit_code == 0
    done = watch(timedelta(minutes=-6), "--limit", "refer=1m")
    assert done.exit_code == 3
    assert "LATE: level refer, unread: 2, nobody knows how long: a clock was wrong (limit 1 min)" in done.output


def test_a_database_that_is_not_there_is_no_empty_queue(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["waiting", "--database", str(tmp_path / "nothing.db")])
    assert done.exit_code != 0
    assert not (tmp_path / "nothing.db").exists()
