import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from apps.review.identity.records import SignedIn
from apps.review.services import erasing
from apps.review.services.context import ReviewContext
from apps.review.services.erasing import erase_post, erase_posts
from apps.review.services.errors import NotAllowedError, PostErasedError
from apps.review.services.escalations import take_over, undo_take_over
from apps.review.services.history import load_history
from apps.review.services.id_lists import read_id_list
from apps.review.services.importing import import_scores
from apps.review.services.importing_explanations import import_explanations
from apps.review.services.judging import record_decision, revise_decision, undo_decision
from apps.review.services.leases import claim_post
from apps.review.services.posts import load_post
from apps.review.services.queue import count_queue
from apps.review.services.retention import find_done
from apps.review.services.verifying import verify_chain
from apps.review.store.models import Event, Highlight, Note, PostText
from screening.exceptions import ScreeningError

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]
MakeTable = Callable[..., pd.DataFrame]


@pytest.fixture
def decided(filled: ReviewContext, operator: SignedIn, sign_in: SignIn) -> ReviewContext:
    """p3 is judged with a note and has a highlight; p2 and p1 wait."""
    spans = pd.DataFrame({"post_id": ["p3"], "head": "class:urgent", "start": 0, "end": 1, "weight": 1.0})
    import_explanations(filled, operator, spans.assign(model_version="0123456789ab"))
    ada = sign_in()
    claim_post(filled, ada, "p3")
    record_decision(filled, ada, "p3", "escalate", "a heron by the weir")
    return filled


def test_erasing_takes_the_words_and_leaves_a_valid_chain(
    decided: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    erased = erase_post(decided, operator, "p3")
    assert (erased.had_text, erased.n_notes, erased.n_highlights) == (True, 1, 1)
    with decided.store.read() as session:
        assert session.get(PostText, "p3") is None
        assert [session.scalar(select(func.count()).select_from(table)) for table in (Note, Highlight)] == [0, 0]
    result = verify_chain(decided, operator)
    assert (result.is_intact, result.n_erased) == (True, 1)
    ada = sign_in()
    post = load_post(decided, ada, "p3")
    assert (post.text, post.is_erased) == (None, True)
    assert [(row.decision, row.note) for row in load_history(decided, ada)] == [("escalate", None)]


def test_an_erased_post_is_neither_judged_nor_waits(
    decided: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    ada = sign_in()
    seq = load_history(decided, ada)[0].seq
    claim_post(decided, ada, "p2")
    for post_id in ("p2", "p3"):
        erase_post(decided, operator, post_id)
    assert count_queue(decided, ada).n_waiting == 1
    for attempt in (
        lambda: record_decision(decided, ada, "p2", "escalate"),
        lambda: revise_decision(decided, ada, "p3", "no_concern"),
        lambda: undo_decision(decided, ada, seq),
    ):
        with pytest.raises(PostErasedError, match="was erased"):
            attempt()
    assert verify_chain(decided, operator).is_intact


def test_erasing_twice_changes_nothing_and_an_unknown_post_is_refused(
    decided: ReviewContext, operator: SignedIn
) -> None:
    erase_post(decided, operator, "p3")
    n_events = verify_chain(decided, operator).n_events
    assert erase_post(decided, operator, "p3").had_text is False
    assert verify_chain(decided, operator).n_events == n_events
    with pytest.raises(NotAllowedError, match="no post 'p9'"):
        erase_post(decided, operator, "p9")


def test_importing_an_erased_post_again_does_not_bring_its_words_back(
    decided: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    erase_post(decided, operator, "p3")
    assert import_scores(decided, operator, make_scores(), make_posts()).n_imported == 0
    with decided.store.read() as session:
        assert session.get(PostText, "p3") is None


def test_words_put_back_after_an_erasure_are_found(decided: ReviewContext, operator: SignedIn) -> None:
    erase_post(decided, operator, "p3")
    with decided.store.write() as session:
        session.execute(text("INSERT INTO post_texts (post_id, text, salt) VALUES ('p3', 'words', 's')"))
    assert "p3 is back, though it was erased" in (verify_chain(decided, operator).problem or "")


def test_the_file_holds_nothing_of_what_was_erased(decided: ReviewContext, operator: SignedIn) -> None:
    if decided.store.is_postgresql:
        pytest.skip("PostgreSQL gives the place back with its next VACUUM, as the documentation says")
    path = Path(str(decided.store.engine.url.database))

    def read_files() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))

    assert b"heron" in read_files()
    assert b"number 3" in read_files()
    erase_post(decided, operator, "p3")
    assert b"heron" not in read_files()
    assert b"number 3" not in read_files()
    assert b"number 2" in read_files()


def test_a_reader_who_keeps_the_words_in_the_file_is_told_of(decided: ReviewContext, operator: SignedIn) -> None:
    if decided.store.is_postgresql:
        pytest.skip("only SQLite's file keeps what a reader still sees")
    path = Path(str(decided.store.engine.url.database))
    with decided.store.engine.connect() as connection:  # the connection the pool hands out next
        connection.exec_driver_sql("PRAGMA busy_timeout=100")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        assert not erase_post(decided, operator, "p3").is_overwritten
        assert b"number 3" in path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()
    assert erase_post(decided, operator, "p3").is_overwritten
    assert b"number 3" not in path.read_bytes()


def test_near_duplicates_that_keep_their_words_are_named(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    import_scores(context, operator, make_scores(), make_posts().assign(text=["x", "Twice.", "twice.", "Once."]))
    assert erase_post(context, operator, "p1").near_duplicates == ("p2",)


def test_a_list_is_erased_post_by_post_and_ids_that_are_not_there_stop_nothing(
    decided: ReviewContext, operator: SignedIn
) -> None:
    erase_post(decided, operator, "p1")
    erased = erase_posts(decided, operator, ["p1", "nowhere", "p3", "p2", "p3"])
    assert (erased.n_texts, erased.n_erased_before, erased.n_notes, erased.n_highlights) == (2, 1, 1, 1)
    assert (erased.unknown, erased.near_duplicates) == (("nowhere",), ())
    with decided.store.read() as session:
        assert session.scalars(select(PostText.post_id)).all() == []
        kinds = session.execute(select(Event.post_id, Event.actor).where(Event.kind == "erased").order_by(Event.seq))
        assert [tuple(row) for row in kinds] == [(name, operator.user_name) for name in ("p1", "p3", "p2")]
    result = verify_chain(decided, operator)
    assert (result.is_intact, result.n_erased) == (True, 3)


def test_a_list_that_was_erased_in_part_is_finished_by_the_next_call(
    decided: ReviewContext, operator: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_p2(session: Session, post_id: str) -> bool:
        if post_id == "p2":
            raise KeyboardInterrupt
        return False

    with monkeypatch.context() as broken:
        broken.setattr(erasing, "is_erased", fail_at_p2)
        with pytest.raises(KeyboardInterrupt):
            erase_posts(decided, operator, ["p3", "p2", "p1"])
    with decided.store.read() as session:
        assert session.scalars(select(PostText.post_id).order_by(PostText.post_id)).all() == ["p1", "p2"]
    erased = erase_posts(decided, operator, ["p3", "p2", "p1"])
    assert (erased.n_texts, erased.n_erased_before) == (2, 1)
    assert verify_chain(decided, operator).is_intact


def test_only_near_duplicates_outside_the_list_are_named(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    texts = ["x", "Twice.", "twice.", "twice."]
    import_scores(context, operator, make_scores(), make_posts().assign(text=texts))
    assert erase_posts(context, operator, ["p1", "p2"]).near_duplicates == ("p3",)


def test_posts_are_done_when_they_wait_for_nobody_and_nothing_has_happened_to_them(
    decided: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    """p3 is escalated, p2 and p1 wait."""

    def find(n_days: int) -> tuple[tuple[str, ...], int]:
        done = find_done(decided, operator, clock() - timedelta(days=n_days))
        return done.post_ids, done.n_waiting

    clock.advance(days=10)
    assert find(10) == ((), 3)
    lead, ada = sign_in("lea", "lead"), sign_in()
    take_over(decided, lead, "p3")
    claim_post(decided, ada, "p2")
    record_decision(decided, ada, "p2", "no_concern")
    assert find(10) == ((), 1)
    assert find(0) == (("p2", "p3"), 1)
    clock.advance(days=5)
    ada = sign_in()
    undo_decision(decided, ada, load_history(decided, ada)[0].seq)
    assert find(5) == (("p3",), 1)
    assert find(0) == (("p3",), 2)
    erase_posts(decided, operator, ["p3"])
    assert find(0) == ((), 2)


def test_a_post_that_something_has_happened_to_since_keeps_its_words(
    decided: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    ada, lea = sign_in(), sign_in("lea", "lead")
    for post_id in ("p1", "p2"):
        claim_post(decided, ada, post_id)
        record_decision(decided, ada, post_id, "no_concern")
    take_over(decided, lea, "p3")
    since = clock()
    assert find_done(decided, operator, since).post_ids == ("p1", "p2", "p3")
    clock.advance(minutes=1)
    revise_decision(decided, ada, "p1", "needs_follow_up")
    erased = erase_posts(decided, operator, ["p1", "p2"], untouched_since=since)
    assert (erased.n_texts, erased.n_kept, erased.unknown) == (1, 1, ())
    with decided.store.read() as session:
        assert session.scalars(select(PostText.post_id).order_by(PostText.post_id)).all() == ["p1", "p3"]


def test_a_post_that_waits_again_keeps_its_words_whatever_the_clocks_say(
    decided: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    """The moment named lies after everything, as where the command's clock runs ahead of the app's."""
    ada, lea = sign_in(), sign_in("lea", "lead")
    claim_post(decided, ada, "p2")
    read = record_decision(decided, ada, "p2", "no_concern").seq
    taken = take_over(decided, lea, "p3").seq
    since = clock() + timedelta(days=1)
    assert find_done(decided, operator, since).post_ids == ("p2", "p3")
    undo_decision(decided, ada, read)
    undo_take_over(decided, lea, taken)
    erased = erase_posts(decided, operator, ["p2", "p3"], untouched_since=since)
    assert (erased.n_texts, erased.n_kept) == (0, 2)
    assert count_queue(decided, ada).n_waiting == 2


def test_only_who_may_erase_sees_what_is_done(decided: ReviewContext, sign_in: SignIn, clock: Any) -> None:
    with pytest.raises(NotAllowedError, match="may not erase"):
        find_done(decided, sign_in("lea", "lead"), clock())


def test_an_id_with_the_apostrophe_of_a_spreadsheets_cell_is_found_and_one_of_its_own_comes_first(
    context: ReviewContext, operator: SignedIn, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    ids = ["p0", "=1", "'=1", "@b"]
    import_scores(context, operator, make_scores().assign(post_id=ids), make_posts().assign(post_id=ids))
    assert erase_posts(context, operator, ["'=1", "'@b", "'c"]).unknown == ("'c",)
    with context.store.read() as session:
        assert session.scalars(select(PostText.post_id)).all() == ["=1"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ids.txt", b"p2\r\n\n  p3 \np2"),
        ("ids", b"\xef\xbb\xbfp2\np3\n"),
        ("ids.csv", b"post_id,why\np2,asked\n,\np3,asked\n"),
        ("ids.jsonl", b'{"post_id": "p2"}\n{"post_id": null}\n{"post_id": "p3"}\n'),
    ],
)
def test_a_list_of_ids_is_read_from_lines_and_tables(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_id_list(tmp_path / name) == ["p2", "p3"]


def test_numbers_in_a_parquet_file_are_ids_as_the_import_reads_them(tmp_path: Path) -> None:
    pd.DataFrame({"post_id": [7, 12]}).to_parquet(tmp_path / "ids.parquet")
    assert read_id_list(tmp_path / "ids.parquet") == ["7", "12"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("ids.txt", b"\n \n", "found none"),
        ("ids.txt", b"p\xff", "expected UTF-8"),
        ("ids.csv", b"a quiet walk\np3\n", "lacks the columns post_id; found 1 columns, none with a usual name"),
        ("nowhere.txt", None, "cannot be read"),
    ],
)
def test_a_list_without_ids_is_refused(tmp_path: Path, name: str, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ScreeningError, match=sentence):
        read_id_list(tmp_path / name)
