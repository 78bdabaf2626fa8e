"""What goes wrong around a database: kills, locks, a database that goes away, clocks that run backwards."""

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.errors import LeaseLostError, StoreBusyError, StoreUnavailableError
from apps.review.services.history import load_history
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_next, claim_post
from apps.review.services.queue import count_queue
from apps.review.services.verifying import verify_chain
from apps.review.store import database as database_module
from apps.review.store import engines
from apps.review.store.database import open_store
from apps.review.store.events import append_event
from apps.review.store.models import Event
from tests.apps.postgresql_cluster import PostgresqlCluster

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]

# A reviewer's process that stops in the middle of a decision: the event is written, the commit has not come.
HALF_A_DECISION = """
    import os, sys, time
    from apps.review.services import judging
    from apps.review.services.context import ReviewContext
    from apps.review.services.leases import claim_next
    from apps.review.store.database import open_store
    from apps.review.identity.local import LocalAccounts
    from apps.review.identity.records import SignInRequest
    from pydantic import SecretStr

    context = ReviewContext(open_store({url!r}))
    request = SignInRequest(user_name="ada", password=SecretStr("a long enough password"))
    ada = LocalAccounts(context.store).identify(request, context.clock())
    post_id = claim_next(context, ada)

    def stop_here(*args, **kwargs):
        os.write(1, post_id.encode() + b"\\n")
        time.sleep(120)

    judging.refresh_queue_item = stop_here
    judging.record_decision(context, ada, post_id, "escalate")
"""


def test_kill_9_in_the_middle_of_a_decision_leaves_none_of_it(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    sign_in()
    script = textwrap.dedent(HALF_A_DECISION.format(url=filled.store.url))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline() == b"p3\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    process.stdout.close()
    with filled.store.read() as session:
        assert session.scalars(select(Event).where(Event.kind == "decision")).all() == []
    assert verify_chain(filled, operator).is_intact
    bob = sign_in("bob")
    assert claim_post(filled, bob, "p2") == "p2"
    record_decision(filled, bob, "p2", "escalate")
    assert verify_chain(filled, operator).is_intact


def test_two_reviewers_deciding_on_one_post_at_once_give_one_decision(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    ada = sign_in("ada")
    claim_post(filled, ada, "p3")
    clock.advance(minutes=15)
    ada, bob = sign_in("ada"), sign_in("bob")

    def take_over_and_decide() -> str:
        claim_post(filled, bob, "p3")
        return record_decision(filled, bob, "p3", "no_concern").hash

    def decide_late() -> str:
        return record_decision(filled, ada, "p3", "escalate").hash

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(job) for job in (take_over_and_decide, decide_late)]
    refused = [job.exception() for job in jobs if job.exception() is not None]
    assert len(refused) == 1
    with filled.store.read() as session:
        assert len(session.scalars(select(Event).where(Event.kind == "decision")).all()) == 1
    assert verify_chain(filled, operator).is_intact


def test_a_locked_database_is_a_clear_error_after_a_bounded_wait_and_nothing_is_lost(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_PRAGMAS", (*engines._PRAGMAS, "busy_timeout=300"))
    url = filled.store.url
    if filled.store.is_postgresql:
        url += f"&options={'-c lock_timeout=300'.replace(' ', '%20')}"
    ada = sign_in()
    claim_post(filled, ada, "p3")
    impatient = ReviewContext(open_store(url), filled.settings, filled.clock)
    if impatient.store.is_postgresql:
        with impatient.store.engine.connect() as connection:
            connection.exec_driver_sql("SET lock_timeout = 300")
            connection.commit()
    with filled.store.write():
        started = time.monotonic()
        with pytest.raises(StoreBusyError, match=r"nothing was saved\. Try again"):
            record_decision(impatient, ada, "p3", "escalate")
        assert time.monotonic() - started < 9
    record_decision(impatient, ada, "p3", "escalate")
    impatient.store.engine.dispose()
    assert [row.decision for row in load_history(filled, ada)] == ["escalate"]
    assert verify_chain(filled, operator).is_intact


def test_writers_of_one_process_take_turns_and_give_up_after_a_bounded_wait(
    filled: ReviewContext, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    if filled.store.is_postgresql:
        pytest.skip("PostgreSQL queues writers itself")
    monkeypatch.setattr(database_module, "WAIT_SECONDS", 0.2)
    ada = sign_in()
    with filled.store.write(), ThreadPoolExecutor(1) as pool:
        refused = pool.submit(claim_next, filled, ada).exception()
    assert isinstance(refused, StoreBusyError)
    assert claim_next(filled, ada) == "p3"


def test_a_database_file_that_goes_away_is_missed_and_comes_back(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    if filled.store.is_postgresql:
        pytest.skip("a file goes away on SQLite only; see the server that stops below")
    ada, path = sign_in(), Path(str(filled.store.engine.url.database))
    claim_post(filled, ada, "p3")
    filled.store.forget_deleted()  # all of it in one file
    away = path.with_name("away.db")
    path.rename(away)
    for attempt in (lambda: record_decision(filled, ada, "p3", "escalate"), lambda: count_queue(filled, ada)):
        with pytest.raises(StoreUnavailableError, match="nothing was saved"):
            attempt()
    assert not path.exists()
    away.rename(path)
    record_decision(filled, ada, "p3", "escalate")
    assert [row.decision for row in load_history(filled, ada)] == ["escalate"]
    assert verify_chain(filled, operator).is_intact


def test_a_database_file_that_was_replaced_is_not_written_to(filled: ReviewContext, sign_in: SignIn) -> None:
    if filled.store.is_postgresql:
        pytest.skip("a file is replaced on SQLite only")
    ada, path = sign_in(), Path(str(filled.store.engine.url.database))
    claim_post(filled, ada, "p3")
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").replace(path)
    with pytest.raises(StoreUnavailableError, match="moved or replaced"):
        record_decision(filled, ada, "p3", "escalate")


@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")  # the driver's, of a dead server
def test_a_server_that_stops_is_missed_and_comes_back(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, request: pytest.FixtureRequest
) -> None:
    if not filled.store.is_postgresql:
        pytest.skip("there is no server on SQLite; see the file that goes away above")
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    ada = sign_in()
    claim_post(filled, ada, "p3")
    cluster.stop_server()
    try:
        with pytest.raises(StoreUnavailableError, match="nothing was saved"):
            record_decision(filled, ada, "p3", "escalate")
    finally:
        cluster.start_server()
        gc.collect()
    record_decision(filled, ada, "p3", "escalate")
    assert [row.decision for row in load_history(filled, ada)] == ["escalate"]
    assert verify_chain(filled, operator).is_intact


def test_times_never_run_backwards_along_the_chain(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn, clock: Any
) -> None:
    clock.advance(minutes=10)
    ada = sign_in()
    claim_post(filled, ada, "p3")
    with filled.store.write() as session:
        event = append_event(session, at=filled.clock().replace(year=2001), actor="ada", kind="break_taken")
        assert event.at == "2026-01-05T09:10:00.000000+00:00"
        assert '"clock_at":"2001-01-05T09:10:00.000000+00:00"' in event.payload
    with filled.store.read() as session:
        times = list(session.scalars(select(Event.at).order_by(Event.seq)))
    assert times == sorted(times)
    assert verify_chain(filled, operator).is_intact


def test_a_lease_outlives_a_clock_that_was_set_back(filled: ReviewContext, sign_in: SignIn, clock: Any) -> None:
    clock.advance(hours=1)
    ada = sign_in("ada")
    claim_post(filled, ada, "p3")
    clock.advance(minutes=-30)
    with pytest.raises(LeaseLostError):
        claim_post(filled, sign_in("bob"), "p3")
    clock.advance(minutes=30)
    record_decision(filled, ada, "p3", "escalate")


def test_the_database_refuses_an_event_before_the_last_one(filled: ReviewContext) -> None:
    with filled.store.read() as session:
        last = session.scalars(select(Event).order_by(Event.seq.desc())).first()
    assert last is not None
    row = {"seq": last.seq + 1, "hash": last.hash}
    statement = text(
        "INSERT INTO events (seq, at, actor, kind, payload, previous_hash, hash) "
        "VALUES (:seq, '2001-01-01', 'mallory', 'decision', '{}', :hash, 'x')"
    )
    with pytest.raises(DatabaseError, match="appended in time"), filled.store.write() as session:
        session.execute(statement, row)


def test_a_killed_process_leaves_a_lease_that_runs_out(filled: ReviewContext, sign_in: SignIn, clock: Any) -> None:
    claim_post(filled, sign_in("ada"), "p3")
    clock.advance(minutes=15)
    assert claim_next(filled, sign_in("bob")) == "p3"


def test_an_open_reader_keeps_no_writer_waiting(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    with filled.store.read() as session:
        session.scalar(text("SELECT count(*) FROM events"))
        claim_post(filled, ada, "p3")
        record_decision(filled, ada, "p3", "escalate")
    if not filled.store.is_postgresql:
        with sqlite3.connect(str(filled.store.engine.url.database)) as bare:
            assert bare.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        bare.close()
