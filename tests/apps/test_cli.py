import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from apps.review import cli_erasing
from apps.review.cli import app
from apps.review.identity.records import SignedIn, command_line_operator
from apps.review.server import build_command
from apps.review.services.context import ReviewContext
from apps.review.services.judging import record_decision, undo_decision
from apps.review.services.leases import claim_post
from apps.review.store.database import open_store
from apps.review.store.models import Event
from screening.exceptions import BundleError, ConfigError, MissingArtifactError, SchemaError

MakeTable = Callable[..., pd.DataFrame]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command against a database of its own; errors come through as they are."""
    monkeypatch.setenv("SCREENING_REVIEW_DB", str(tmp_path / "review.db"))

    def _run(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return f"{result.exit_code}\n{result.output}"

    return _run


@pytest.fixture
def run_folder(tmp_path: Path, make_scores: MakeTable, make_posts: MakeTable) -> Path:
    folder = tmp_path / "demo"
    for name, table in (("evaluation", make_scores()), ("data", make_posts())):
        (folder / name).mkdir(parents=True)
        table.to_parquet(folder / name / "test.parquet")
    return folder


def test_import_add_user_and_verify_from_the_command_line(
    run: Callable[..., str], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, posts = (str(run_folder / part / "test.parquet") for part in ("evaluation", "data"))
    assert "Imported 3 posts" in run("import", scores, "--posts", posts)
    assert "3 were there already" in run("import", scores, "--posts", posts)
    monkeypatch.setenv("SCREENING_REVIEW_PASSWORD", "a long enough password")
    assert "Added ada as reviewer" in run("add-user", "ada", "--role", "reviewer")
    with pytest.raises(ConfigError, match="exists"):
        run("add-user", "ada", "--role", "reviewer")
    assert "New password set" in run("set-password", "ada")
    assert "Intact: 3 events" in run("verify")
    assert run("verify", "--known-head", "9:abc").startswith("3\n")


def test_an_id_that_commands_the_terminal_is_named_not_obeyed(
    run: Callable[..., str], tmp_path: Path, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    ids, scores, posts = ["p0", "p1", "\x1b[2Jp2", "p3"], tmp_path / "scores.parquet", tmp_path / "posts.parquet"
    make_scores().assign(post_id=ids).to_parquet(scores)
    make_posts().assign(post_id=ids, text="The same quiet walk.").to_parquet(posts)
    run("import", str(scores), "--posts", str(posts))
    shown = run("erase", "p1")
    assert "[ESC][2Jp2" in shown
    assert "\x1b" not in shown


def test_export_erase_and_audit_from_the_command_line(
    run: Callable[..., str], run_folder: Path, tmp_path: Path
) -> None:
    scores, posts = (str(run_folder / part / "test.parquet") for part in ("evaluation", "data"))
    shown = run("import", scores, "--posts", posts, "--audit-n", "1")
    assert "Imported 4 posts" in shown
    assert "1 unflagged posts were drawn at random" in shown
    assert "readers can tell" not in shown
    assert "Erased its text, 0 notes and 0 highlights of p2." in run("erase", "p2")
    assert "1 posts were erased" in run("verify")
    out = tmp_path / "decisions.csv"
    assert "Wrote 0 rows" in run("export", str(out))
    assert out.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="--overwrite"):
        run("export", str(out))
    assert "Wrote 0 rows" in run("export", str(out), "--overwrite", "--text")
    labelled = str(tmp_path / "labelled.parquet")
    assert "Wrote 0 rows" in run("export", labelled, "--label", "no_concern=offmychest")
    with pytest.raises(ConfigError, match="DECISION=LABEL"):
        run("export", str(tmp_path / "other.parquet"), "--label", "offmychest")
    with pytest.raises(ConfigError, match=r"ending in \.csv"):
        run("export", str(tmp_path / "decisions.xlsx"))
    for options in (("--audit-n", "0"), ("--audit-fraction", "1.5"), ("--audit-n", "1", "--audit-fraction", "0.1")):
        with pytest.raises(ConfigError, match="one of the two"):
            run("import", scores, "--posts", posts, *options)


def test_an_audit_that_comes_after_the_flagged_posts_warns_that_readers_can_tell(
    run: Callable[..., str], run_folder: Path
) -> None:
    scores, posts = (str(run_folder / part / "test.parquet") for part in ("evaluation", "data"))
    run("import", scores, "--posts", posts)
    shown = run("import", scores, "--posts", posts, "--audit-n", "1")
    assert "readers can tell them by how long they wait" in shown
    assert "readers can tell" not in run("import", scores, "--posts", posts, "--audit-n", "1")


def test_a_list_is_erased_from_the_command_line_with_a_summary_in_counts(
    run: Callable[..., str], run_folder: Path, tmp_path: Path
) -> None:
    scores, posts = (str(run_folder / part / "test.parquet") for part in ("evaluation", "data"))
    run("import", scores, "--posts", posts)
    listed = tmp_path / "ids.txt"
    listed.write_text("p1\np2\nnowhere\nwords of a post\n\x1b[2J\n")
    shown = run("erase", "--ids", str(listed))
    assert shown.startswith("0\nErased the text of 2 posts, with 0 notes and 0 highlights; 0 were erased before.\n")
    assert "3 of 5 ids are not in this database, first nowhere, <id of 15 characters>, <id of 4 characters>" in shown
    assert "Erased the text of 0 posts, with 0 notes and 0 highlights; 2 were" in run("erase", "--ids", str(listed))
    assert "2 posts were erased" in run("verify")
    for arguments in ((), ("p1", "--ids", str(listed)), ("p1", "--done-for", "90")):
        with pytest.raises(ConfigError, match="expected one of the three"):
            run("erase", *arguments)
    with pytest.raises(ConfigError, match="leave it out"):
        run("erase", "p1", "--dry-run")


def test_posts_that_are_done_are_counted_and_erased_by_their_age(
    run: Callable[..., str], filled: ReviewContext, sign_in: Callable[..., SignedIn], clock: Any
) -> None:
    """p3 was judged 25 hours before the command, p2 23 hours before, and p1 waits for longer."""
    clock.now = datetime.now(UTC) - timedelta(hours=25)
    for post_id, note in (("p3", "a note"), ("p2", None)):
        ada = sign_in()
        claim_post(filled, ada, post_id)
        record_decision(filled, ada, post_id, "no_concern", note)
        clock.advance(hours=2)
    kept = "1 as old wait for a reader or a lead and keep theirs."
    assert f"0\nThe text of 1 posts would be erased; {kept}" in run("erase", "--done-for", "1", "--dry-run")
    assert f"0\nThe text of 0 posts would be erased; {kept}" in run("erase", "--done-for", "2", "--dry-run")
    assert "Intact" in run("verify")
    said = run("erase", "--done-for", "1")
    assert f"Erased the text of 1 posts, with 1 notes and 0 highlights; {kept}" in said
    assert "Backups and exports made before still hold what was erased." in said
    assert f"Erased the text of 0 posts, with 0 notes and 0 highlights; {kept}" in run("erase", "--done-for", "1")
    assert "1 posts were erased" in run("verify")


def test_a_post_judged_anew_while_others_are_erased_is_told_of(
    run: Callable[..., str],
    filled: ReviewContext,
    sign_in: Callable[..., SignedIn],
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock.now = datetime.now(UTC) - timedelta(hours=25)
    ada = sign_in()
    claim_post(filled, ada, "p3")
    seq = record_decision(filled, ada, "p3", "no_concern").seq

    def undo_first(post_ids: Sequence[str]) -> Sequence[str]:
        clock.advance(hours=25)
        undo_decision(filled, sign_in(), seq)
        return post_ids

    monkeypatch.setattr(cli_erasing, "_track", undo_first)
    said = run("erase", "--done-for", "1")
    assert "Erased the text of 0 posts" in said
    assert "1 more were judged, taken back or opened while this ran and keep theirs." in said


def test_events_of_the_command_line_name_who_ran_the_command(
    run: Callable[..., str], run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, posts = (str(run_folder / part / "test.parquet") for part in ("evaluation", "data"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("LOGNAME", "mira")
    run("import", scores, "--posts", posts)
    run("export", str(tmp_path / "decisions.csv"), "--text")
    monkeypatch.setenv("SUDO_USER", "kim")
    run("erase", "p2")
    run("add-user", "ada", "--role", "reviewer", "--generate")
    run("set-role", "ada", "--role", "lead")
    store = open_store(str(tmp_path / "review.db"))
    with store.read() as session:
        events = session.execute(select(Event.kind, Event.actor).order_by(Event.seq)).all()
    store.engine.dispose()
    mira, kim = "(command line: mira)", "(command line: kim)"
    assert [tuple(event) for event in events] == [
        ("imported", mira), ("exported", mira), ("erased", kim), ("user_added", kim), ("role_changed", kim),
    ]  # fmt: skip


def test_a_machine_that_knows_no_name_gives_the_number_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_123)
    assert command_line_operator(datetime.now(UTC)).user_name == "(command line: user 4000123)"


def test_an_import_with_its_run_refuses_scores_of_another_one(run: Callable[..., str], run_folder: Path) -> None:
    scores, posts = (str(run_folder / part / "test.parquet") for part in ("evaluation", "data"))
    with pytest.raises(MissingArtifactError, match="calibrate the run first"):
        run("import", scores, "--posts", posts, "--run", str(run_folder))
    with pytest.raises(BundleError, match="holds no"):
        run("import", scores, "--posts", posts, "--bundle", str(run_folder))
    with pytest.raises(ConfigError, match="either --run or --bundle, found both"):
        run("import", scores, "--posts", posts, "--bundle", str(run_folder), "--run", str(run_folder))


def test_house_rules_that_cannot_be_read_stop_the_start(run: Callable[..., str], tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("daily_limit: 5\n")
    with pytest.raises(ConfigError, match=r"daily_limit.*Known keys: .*daily_cap"):
        run("serve", "--settings", str(rules))


def test_a_guideline_that_cannot_be_read_stops_the_start(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCREENING_REVIEW_GUIDELINES", "nowhere.txt")
    with pytest.raises(ConfigError, match=r"nowhere\.txt cannot be read.*SCREENING_REVIEW_GUIDELINES"):
        run("serve")


def test_a_second_import_under_another_model_says_what_is_kept(
    run: Callable[..., str], tmp_path: Path, make_scores: MakeTable, make_posts: MakeTable
) -> None:
    spans = pd.DataFrame({"post_id": ["p3"], "head": "class:urgent", "start": 0, "end": 1, "weight": 1.0})
    tables = {
        "scores": make_scores(), "newer": make_scores().assign(model_version="ffff"), "posts": make_posts(),
        "spans": spans.assign(model_version="ffff"),
    }  # fmt: skip
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    scores, newer, posts, highlights = (str(tmp_path / f"{name}.csv") for name in tables)
    assert "model or score" not in run("import", scores, "--posts", posts)
    shown = run("import", newer, "--posts", posts, "--explanations", highlights)
    assert "3 of those there already come with another model or score now; they keep" in shown
    assert "Added highlights to 0 posts.\n1 posts got none" in shown


def test_the_demo_makes_a_password_for_each_start_and_keeps_the_posts(
    run: Callable[..., str], run_folder: Path
) -> None:
    first = run("demo", "--run", str(run_folder), "--no-start")
    second = run("demo", "--run", str(run_folder), "--no-start")
    assert "Imported 3 posts" in first
    assert "3 were there already" in second
    passwords = [line.split()[1] for text in (first, second) for line in text.splitlines() if "  password  " in line]
    assert len(set(passwords)) == 2
    database = run_folder / "review" / "review-0123456789ab.db"
    assert str(database) in first
    assert database.exists()
    assert database.parent.stat().st_mode & 0o077 == 0


def test_the_demo_of_a_newer_screener_starts_with_a_database_of_its_own(
    run: Callable[..., str], run_folder: Path, make_scores: MakeTable
) -> None:
    run("demo", "--run", str(run_folder), "--no-start")
    make_scores().assign(model_version="ffffffffffff").to_parquet(run_folder / "evaluation" / "test.parquet")
    assert "Imported 3 posts; 0 were there already" in run("demo", "--run", str(run_folder), "--no-start")
    assert len(list((run_folder / "review").glob("*.db"))) == 2


def test_the_demo_of_scores_without_a_model_version_says_how_to_get_them(
    run: Callable[..., str], run_folder: Path, make_scores: MakeTable
) -> None:
    make_scores().drop(columns="model_version").to_parquet(run_folder / "evaluation" / "test.parquet")
    with pytest.raises(SchemaError, match=r"screening evaluate --config .*config\.yaml --force"):
        run("demo", "--run", str(run_folder), "--no-start")
    assert not (run_folder / "review").exists()


def test_the_demo_leaves_a_persons_account_alone(
    run: Callable[..., str], run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCREENING_REVIEW_PASSWORD", "a long enough password")
    run("add-user", "reviewer", "--role", "reviewer")
    with pytest.raises(ConfigError, match="made by a person"):
        run("demo", "--run", str(run_folder), "--database", str(tmp_path / "review.db"), "--no-start")


def test_the_demo_without_a_run_says_how_to_get_one(run: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(MissingArtifactError, match="make the run first"):
        run("demo", "--run", str(tmp_path / "nothing"))


def test_checking_a_mistyped_database_does_not_make_an_empty_one(run: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no review database"):
        run("verify", "--database", str(tmp_path / "typo.db"))
    assert not (tmp_path / "typo.db").exists()


def test_a_password_is_never_an_argument(run: Callable[..., str]) -> None:
    assert run("add-user", "ada", "--role", "reviewer", "--password", "a long enough password").startswith("2\n")


def test_the_server_listens_on_this_machine_and_sends_no_statistics() -> None:
    command = build_command()
    for flag in ("server.address=127.0.0.1", "browser.gatherUsageStats=false", "client.showErrorDetails=none"):
        assert f"--{flag}" in command


def test_the_command_line_does_not_import_what_it_may_not_need() -> None:
    heavy = ("streamlit", "sqlalchemy", "pandas", "argon2")
    script = f"import sys, apps.review.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_services_store_and_identity_know_no_streamlit() -> None:
    script = (
        "import sys, pkgutil, importlib, apps.review as r\n"
        "for room in ('services', 'store', 'identity'):\n"
        "    package = importlib.import_module(f'apps.review.{room}')\n"
        "    for module in pkgutil.iter_modules(package.__path__, f'apps.review.{room}.'):\n"
        "        if not module.name.endswith('migrations'):\n"
        "            importlib.import_module(module.name)\n"
        "print('streamlit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
