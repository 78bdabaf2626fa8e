"""The doctor says what is there, what is missing and what to do, and changes nothing."""

import sqlite3
import stat
from contextlib import closing

import pytest

from pipelines import doctor
from pipelines.doctor import Check, check_disk, check_mlflow, diagnose, run_doctor
from screening.config import TrackingConfig

OK = Check(name="Python", status="ok", finding="3.11.0")
MISSING = Check(name="Java", status="missing", finding="no java", next_step="install [Java] 17")
BROKEN = Check(name="Encoder", status="broken", finding="weights differ", next_step="make demo")


def test_every_line_that_is_not_ok_names_a_next_step(tmp_path):
    checks = diagnose(TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db"))
    assert len({check.name for check in checks}) == len(checks) == 11
    assert all(check.next_step for check in checks if check.status != "ok")


def test_embedded_encoder_is_verified_by_its_digest():
    check = doctor.check_encoder()
    assert check.status == "ok"
    assert "verified" in check.finding


def test_diagnosis_makes_no_database(tmp_path):
    check = check_mlflow(TrackingConfig(uri=f"sqlite:///{tmp_path}/new/mlflow.db"))
    assert check.status == "ok"
    assert "will be made" in check.finding
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_no_mlflow_database_is_broken(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, only some words that take its place")
    check = check_mlflow(TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db"))
    assert check.status == "broken"
    assert "not an MLflow database" in check.finding
    assert "tracking.uri" in check.next_step


def test_existing_store_is_counted_and_read_only_store_is_broken(tmp_path, monkeypatch):
    config = TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("CREATE TABLE runs (run_uuid TEXT)")
        connection.execute("INSERT INTO runs VALUES ('a')")
    assert check_mlflow(config).finding == "mlflow.db, 1 tracked runs"
    (tmp_path / "mlflow.db").chmod(stat.S_IRUSR)
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)  # root may write anything
    assert check_mlflow(config).finding == "mlflow.db is read-only"


def test_a_store_that_does_not_answer_is_broken():
    check = check_mlflow(TrackingConfig(uri="unknowndb://ann@db.example/mlflow"))
    assert check.status == "broken"
    assert check.finding == "unknowndb://ann@db.example/mlflow does not answer"


def test_full_disk_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "MIN_FREE_GIB", float("inf"))
    assert check_disk(tmp_path).status == "broken"


def test_token_is_reported_but_never_shown(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_planted_secret")
    check = doctor.check_hub_token()
    assert check.status == "ok"
    assert "planted" not in str(check)


def test_check_that_fails_unexpectedly_is_reported_as_broken(monkeypatch):
    def fail():
        message = "driver gone"
        raise OSError(message)

    monkeypatch.setattr(doctor, "check_cuda", fail)
    (check,) = [check for check in diagnose(TrackingConfig()) if check.name == "CUDA"]
    assert check.status == "broken"
    assert "driver gone" in check.finding


@pytest.mark.parametrize(("checks", "code"), [([OK, MISSING], 0), ([OK, BROKEN, MISSING], 2)])
def test_exit_code_counts_only_what_is_broken(monkeypatch, capsys, checks, code):
    monkeypatch.setattr(doctor, "diagnose", lambda tracking=None: checks)
    monkeypatch.setenv("COLUMNS", "160")
    assert run_doctor(TrackingConfig()) == code
    printed = capsys.readouterr().out
    assert "missing (optional)" in printed
    assert "[Java]" in printed
