"""A database that holds nothing readable without its key."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.importing import import_scores
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_next
from apps.review.services.queue import count_queue
from apps.review.services.verifying import verify_chain
from apps.review.store.addresses import resolve_url
from apps.review.store.database import open_store
from screening.exceptions import ConfigError

pytest.importorskip("sqlcipher3", reason="sqlcipher3 is not installed")

MakeTable = Callable[..., pd.DataFrame]
KEY = "a key with 'quotes' and ünusual signs"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCREENING_REVIEW_KEY", KEY)
    return tmp_path / "encrypted.db"


@pytest.fixture
def context(path: Path, clock: Callable[..., object]) -> Iterator[ReviewContext]:
    store = open_store(f"sqlite+pysqlcipher:///{path}")
    yield ReviewContext(store, ReviewSettings(), clock)  # type: ignore[arg-type]  # the tests' own clock
    store.engine.dispose()


def test_the_files_hold_no_word_and_everything_works(
    context: ReviewContext,
    path: Path,
    operator: SignedIn,
    sign_in: Callable[..., SignedIn],
    make_scores: MakeTable,
    make_posts: MakeTable,
) -> None:
    import_scores(context, operator, make_scores(), make_posts().assign(text="a planted phrase"))
    reader = sign_in("a-reader")
    record_decision(context, reader, claim_next(context, reader) or "", "escalate", "a planted note")
    assert verify_chain(context, operator).is_intact
    # Words of six bytes and more: three random bytes in a row spell any three letters once in 17 MB.
    content = b"".join(file.read_bytes() for file in path.parent.glob("encrypted.db*"))
    for words in (b"planted", b"escalate", b"SQLite format", b"post_id", b"a-reader"):
        assert words not in content
    with sqlite3.connect(path) as bare, pytest.raises(sqlite3.DatabaseError, match="not a database"):
        bare.execute("SELECT * FROM sqlite_master")
    bare.close()


def test_a_path_with_a_key_set_means_an_encrypted_file(
    context: ReviewContext,
    path: Path,
    operator: SignedIn,
    sign_in: Callable[..., SignedIn],
    make_scores: MakeTable,
    make_posts: MakeTable,
) -> None:
    import_scores(context, operator, make_scores(), make_posts())
    again = open_store(str(path))
    assert again.url.startswith("sqlite+pysqlcipher:")
    assert count_queue(ReviewContext(again, ReviewSettings(), context.clock), sign_in()).n_waiting == 3
    again.engine.dispose()


@pytest.mark.parametrize("key", ["another key", None])
def test_a_wrong_or_missing_key_is_a_clear_error(
    context: ReviewContext, path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    before = path.read_bytes()
    if key is None:
        monkeypatch.delenv("SCREENING_REVIEW_KEY")
    else:
        monkeypatch.setenv("SCREENING_REVIEW_KEY", key)
    with pytest.raises(ConfigError, match="SCREENING_REVIEW_KEY") as caught:
        open_store(str(path))
    assert "another key" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_plain_file_is_not_opened_with_a_key(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain.db"
    plain.write_bytes(empty_database.read_bytes())
    monkeypatch.setenv("SCREENING_REVIEW_KEY", KEY)
    with pytest.raises(ConfigError, match="a plain one none"):
        open_store(str(plain))
    assert plain.read_bytes() == empty_database.read_bytes()


def test_a_key_in_a_url_or_none_at_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCREENING_REVIEW_KEY", raising=False)
    with pytest.raises(ConfigError, match="does not belong in a URL") as caught:
        resolve_url("sqlite+pysqlcipher://:hunter2@/srv/review.db")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match="holds no key"):
        open_store(f"sqlite+pysqlcipher:///{tmp_path / 'new.db'}")


def test_a_key_beside_the_url_of_a_plain_file_is_refused_and_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCREENING_REVIEW_KEY", KEY)
    with pytest.raises(ConfigError, match="without encryption") as caught:
        open_store(f"sqlite:///{tmp_path / 'new.db'}")
    assert KEY not in str(caught.value)
    assert not (tmp_path / "new.db").exists()
