"""A database of the first version keeps its decisions, its queue and its chain through the upgrade."""

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr

from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.services.accounts import add_user
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.history import load_history
from apps.review.services.import_rows import DIGESTED_FIELDS
from apps.review.services.judging import revise_decision
from apps.review.services.posts import load_post
from apps.review.services.queue import load_queue
from apps.review.services.verifying import verify_chain
from apps.review.store.database import MIGRATIONS, Store, open_store
from apps.review.store.engines import create_store_engine
from apps.review.store.events import compute_text_digest, to_canonical_json

PASSWORD = "a long enough password"
AT = "2026-01-01T09:00:00.000000+00:00"


def append(bare: sqlite3.Connection, kind: str, payload: dict[str, object], **columns: object) -> int:
    """Append an event as the first version did, without this version's code."""
    last = "SELECT hash FROM events ORDER BY seq DESC LIMIT 1"
    seq, previous = bare.execute(f"SELECT max(seq) + 1, ({last}) FROM events").fetchone()  # noqa: S608  # our own words
    row = {
        "seq": seq or 1, "at": AT, "actor": "ada", "kind": kind, "post_id": None, "decision": None, "undoes": None,
        "payload": to_canonical_json(payload), **columns,
    }  # fmt: skip
    digest = hashlib.sha256(f"{previous or ''}\n{to_canonical_json(row)}".encode()).hexdigest()
    bare.execute(
        "INSERT INTO events VALUES "
        "(:seq, :at, :actor, :kind, :post_id, :decision, :undoes, :payload, :previous, :hash)",
        {**row, "previous": previous or "", "hash": digest},
    )
    return int(row["seq"])  # type: ignore[call-overload]  # a number


def run_migrations(path: Path, *revisions: str) -> None:
    store = Store(create_store_engine(f"sqlite:///{path}"), f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    at = "0000"
    for revision in revisions:
        with store.write() as session:
            config.attributes["connection"] = session.connection()
            (command.upgrade if revision > at else command.downgrade)(config, revision)
        at = revision
    store.engine.dispose()


@pytest.fixture
def old_database(tmp_path: Path) -> Path:
    """Two imported posts, one of them judged with a note, as the first version left them."""
    path = tmp_path / "old.db"
    path.touch()
    run_migrations(path, "0001")
    with sqlite3.connect(path) as bare:
        posts = []
        for post_id, words in (("a", "Calm sea."), ("b", "A dog barks.")):
            posts.append(
                {
                    "post_id": post_id, "imported_at": AT, "created_at": None, "triage": "refer", "risk": 0.5,
                    "priority": 0.5, "scores": {"risk_any": 0.5}, "model_version": "m",
                    "text_digest": compute_text_digest(words, "salt"),
                }
            )  # fmt: skip
        lines = b"".join(to_canonical_json([post[name] for name in DIGESTED_FIELDS]).encode() + b"\n" for post in posts)
        seq = append(bare, "imported", {"n_posts": 2, "digest": hashlib.sha256(lines).hexdigest()})
        for post, words in zip(posts, ("Calm sea.", "A dog barks."), strict=True):
            row = {**post, "import_seq": seq, "scores": to_canonical_json(post["scores"])}
            names = ", ".join(row)
            bare.execute(f"INSERT INTO posts ({names}) VALUES ({', '.join(':' + name for name in row)})", row)  # noqa: S608  # our own names
            bare.execute("INSERT INTO post_texts VALUES (?, ?, 'salt')", (post["post_id"], words))
        bare.execute("INSERT INTO queue VALUES ('b', 0.5, 'refer', NULL, NULL)")
        bare.execute("INSERT INTO highlights VALUES ('a', 'class:any', 0, 4, 1.0, 0)")
        decided = append(
            bare, "decision", {"is_blind": True, "note_digest": compute_text_digest("a note", "s")},
            post_id="a", decision="escalate",
        )  # fmt: skip
        bare.execute("INSERT INTO notes VALUES (?, 'a note', 's')", (decided,))
    bare.close()
    return path


def test_an_old_database_is_upgraded_where_it_stands(
    old_database: Path, clock: Callable[..., object], operator: SignedIn
) -> None:
    context = ReviewContext(open_store(str(old_database)), ReviewSettings(), clock)  # type: ignore[arg-type]  # the tests' own
    result = verify_chain(context, operator)
    assert (result.is_intact, result.n_events, result.problem) == (True, 2, None)
    add_user(context, operator, name="ada", role="reviewer", password=PASSWORD)
    request = SignInRequest(user_name="ada", password=SecretStr(PASSWORD))
    ada = LocalAccounts(context.store).identify(request, context.clock())
    assert ada is not None
    (row,) = load_queue(context, ada)
    assert (row.post_id, row.n_characters) == ("b", 12)
    (judgement,) = load_history(context, ada)
    assert (judgement.decision, judgement.note, judgement.read, judgement.is_standing) == (
        "escalate",
        "a note",
        1,
        True,
    )
    revealed = load_post(context, ada, "a").revealed
    assert revealed is not None
    assert (revealed.is_reliable, revealed.is_unchanged, len(revealed.highlights)) == (False, False, 1)
    revise_decision(context, ada, "a", "no_concern")
    assert verify_chain(context, operator).is_intact
    context.store.engine.dispose()


def test_the_upgrade_can_be_taken_back_and_made_again(old_database: Path, operator: SignedIn) -> None:
    run_migrations(old_database, "0005", "0004", "0003", "0002", "0005")
    store = open_store(str(old_database))
    assert verify_chain(ReviewContext(store), operator).is_intact
    store.engine.dispose()
