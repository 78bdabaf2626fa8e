import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.errors import NotAllowedError
from apps.review.services.exporting import export_decisions, export_labelled
from apps.review.services.importing import import_scores
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_post
from apps.review.services.verifying import verify_chain
from apps.review.store.models import Event
from screening.config import DataConfig
from screening.data.sources import read_source
from screening.exceptions import ConfigError

BACKENDS = ("sqlite", "postgresql")

SignIn = Callable[..., SignedIn]
MakeTable = Callable[..., pd.DataFrame]


@pytest.fixture
def decided(filled: ReviewContext, sign_in: SignIn) -> ReviewContext:
    """p3 escalated with a note and a reason, p2 of no concern, p1 waits for a second reader."""
    ada = sign_in()
    for post_id, decision, note in (("p3", "escalate", "called"), ("p2", "no_concern", None), ("p1", "unsure", None)):
        claim_post(filled, ada, post_id)
        record_decision(filled, ada, post_id, decision, note, reasons=["farewell"] if note else [])
    return filled


def test_decisions_leave_without_words_and_an_event_says_how_many(
    decided: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    made = export_decisions(decided, sign_in("eve", "auditor"))
    rows = list(csv.DictReader(io.StringIO(made.content.decode())))
    assert [(row["post_id"], row["decision"], row["status"], row["reasons"]) for row in rows] == [
        ("p1", "unsure", "second", ""),
        ("p2", "no_concern", "settled", ""),
        ("p3", "escalate", "settled", "farewell"),
    ]
    assert b"walk" not in made.content
    assert b"called" not in made.content
    assert made.sha256 == hashlib.sha256(made.content).hexdigest()
    with decided.store.read() as session:
        event = session.get_one(Event, made.seq)
        payload = json.loads(event.payload)
    assert (event.actor, event.kind, payload["n_rows"], payload["sha256"]) == ("eve", "exported", 3, made.sha256)
    assert verify_chain(decided, operator).is_intact


def test_words_leave_only_with_those_who_may_take_them(decided: ReviewContext, sign_in: SignIn) -> None:
    lea, eve = sign_in("lea", "lead"), sign_in("eve", "auditor")
    made = export_decisions(decided, lea, file_format="jsonl", with_text=True)
    rows = [json.loads(line) for line in made.content.decode().splitlines()]
    assert [(row["text"], row["note"]) for row in rows][2] == ("A quiet walk, number 3.", "called")
    for attempt in (
        lambda: export_decisions(decided, eve, with_text=True),
        lambda: export_labelled(decided, eve, {"escalate": "a"}),
        lambda: export_decisions(decided, sign_in("ada")),
    ):
        with pytest.raises(NotAllowedError, match="may not export"):
            attempt()


def test_who_may_be_the_second_reader_gets_no_first_reading(decided: ReviewContext, sign_in: SignIn) -> None:
    shown = {}
    for name, role in (("lea", "lead"), ("eve", "auditor")):
        rows = csv.DictReader(io.StringIO(export_decisions(decided, sign_in(name, role)).content.decode()))
        shown[role] = {row["post_id"]: (row["decision"], row["first_decision"], row["decided_by"]) for row in rows}
    assert shown["lead"]["p1"] == ("", "", "ada")
    assert shown["auditor"]["p1"] == ("unsure", "unsure", "ada")
    assert shown["lead"]["p3"] == shown["auditor"]["p3"] == ("escalate", "escalate", "ada")


def test_every_format_holds_the_same_rows(decided: ReviewContext, sign_in: SignIn) -> None:
    lea = sign_in("lea", "lead")
    parquet = pd.read_parquet(io.BytesIO(export_decisions(decided, lea, file_format="parquet").content))
    jsonl = pd.read_json(io.BytesIO(export_decisions(decided, lea, file_format="jsonl").content), lines=True)
    made = pd.read_csv(io.BytesIO(export_decisions(decided, lea).content))
    for column in ("post_id", "decision", "status", "risk", "is_audit", "first_decision", "import_seq"):
        assert parquet[column].tolist() == jsonl[column].tolist() == made[column].tolist()
    with pytest.raises(ConfigError, match="csv, jsonl, parquet"):
        export_decisions(decided, lea, file_format="xlsx")  # type: ignore[arg-type]  # what a careless caller passes


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", " =", "\u200b=", "\u202e=", "\v\u3000="])
def test_a_cell_a_spreadsheet_would_run_stays_text(
    context: ReviewContext,
    operator: SignedIn,
    sign_in: SignIn,
    make_scores: MakeTable,
    make_posts: MakeTable,
    start: str,
) -> None:
    formula = f"{start}HYPERLINK(1)"
    import_scores(context, operator, make_scores(), make_posts().assign(text=formula, community=formula))
    ada = sign_in()
    claim_post(context, ada, "p3")
    record_decision(context, ada, "p3", "escalate", "=1+1")
    made = export_decisions(context, sign_in("lea", "lead"), with_text=True)
    (row,) = csv.DictReader(io.StringIO(made.content.decode(), newline=""))
    assert (row["text"], row["community"], row["note"]) == (f"'{formula}", f"'{formula}", "'=1+1")
    assert float(row["risk"]) == 0.75


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_labelled_data_is_what_training_reads(
    decided: ReviewContext, sign_in: SignIn, tmp_path: Path, ending: str
) -> None:
    labels = {"escalate": "suicidewatch", "no_concern": "offmychest"}
    made = export_labelled(decided, sign_in("lea", "lead"), labels, file_format=ending)  # type: ignore[arg-type]  # one of the three
    path = tmp_path / made.file_name
    path.write_bytes(made.content)
    posts = read_source(DataConfig(source="file", path=path), seed=1).posts
    assert posts[["post_id", "text", "label"]].to_dict("list") == {
        "post_id": ["p2", "p3"],
        "text": ["A quiet walk, number 2.", "A quiet walk, number 3."],
        "label": ["offmychest", "suicidewatch"],
    }
    assert (made.n_rows, made.n_left_out) == (2, 1)


def test_labels_are_for_known_decisions_and_not_empty(decided: ReviewContext, sign_in: SignIn) -> None:
    lea = sign_in("lea", "lead")
    for labels in ({}, {"maybe": "a"}, {"escalate": " "}):
        with pytest.raises(ConfigError, match="labels map decisions"):
            export_labelled(decided, lea, labels)


def test_a_settled_disagreement_is_exported_with_all_three_judgements(filled: ReviewContext, sign_in: SignIn) -> None:
    house = replace(filled, settings=ReviewSettings(second_read_fraction=1.0))
    for name, role, decision in (
        ("ada", "reviewer", "escalate"),
        ("bob", "reviewer", "no_concern"),
        ("leo", "lead", "needs_follow_up"),
    ):
        person = sign_in(name, role)
        claim_post(house, person, "p3")
        record_decision(house, person, "p3", decision)
    made = export_decisions(house, sign_in("leo", "lead"), file_format="jsonl")
    row = json.loads(made.content)
    names = ("decision", "decided_by", "first_decision", "second_decision", "adjudicated_decision", "status")
    assert [row[name] for name in names] == [
        "needs_follow_up", "leo", "escalate", "no_concern", "needs_follow_up", "settled"
    ]  # fmt: skip
