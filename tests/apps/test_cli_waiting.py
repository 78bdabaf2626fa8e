import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

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
        with pytest.raises(ConfigError, match="at most once, with minutes, hours or days"):
            read_limits(pairs)


def test_every_wait_has_words() -> None:
    assert tuple(_WORDS) == WAIT_NAMES


@pytest.mark.parametrize(("limits", "exit_code"), [((), 0), (("refer=99999d",), 0), (("refer=3h", "escalated=1m"), 3)])
def test_the_command_ends_with_3_where_something_waits_too_long(
    filled: ReviewContext, monkeypatch: pytest.MonkeyPatch, limits: tuple[str, ...], exit_code: int
) -> None:
    """The command's own clock is years after the import."""
    monkeypatch.setenv("SCREENING_REVIEW_DB", filled.store.url)
    options = [part for limit in limits for part in ("--limit", limit)]
    done = CliRunner().invoke(app, ["waiting", *options], catch_exceptions=False)
    assert done.exit_code == exit_code
    assert ("LATE: level refer, unread: 2, the first for " in done.output) == (exit_code == 3)
    rows = json.loads(CliRunner().invoke(app, ["waiting", "--json", *options]).output)
    assert [row["name"] for row in rows] == list(WAIT_NAMES)
    assert [row["name"] for row in rows if row["is_late"]] == (["refer"] if exit_code else [])


def test_a_database_that_is_not_there_is_no_empty_queue(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["waiting", "--database", str(tmp_path / "nothing.db")])
    assert done.exit_code != 0
    assert not (tmp_path / "nothing.db").exists()
