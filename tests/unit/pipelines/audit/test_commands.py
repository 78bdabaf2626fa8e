import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipelines.audit import commands as audit_commands
from screening.audit.sampling import NEAR_SHARE

TARGET = "suicidewatch"


def invoke(*arguments: object) -> str:
    """Run a command that should succeed; give what it says."""
    done = CliRunner().invoke(audit_commands.app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def run_screening(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = "import sys; from pipelines.cli import main; main()"
    command = [sys.executable, "-c", program, "audit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def sample(run, scores, tmp_path) -> Path:
    path = tmp_path / "sample.csv"
    invoke("sample", scores, "--run", run, "--target", TARGET, "--n", 300, "--out", path)
    return path


def test_default_of_the_command_is_that_of_the_library():
    assert audit_commands.NEAR_SHARE == NEAR_SHARE


def test_plan_says_how_many_posts_to_read():
    said = invoke("plan", "--posts", 10_000, "--flagged", 2_000, "--ppv", 0.0475, "--near-share", 0)
    assert "8,000 unflagged posts; 95 positives expected in 2,000 flagged" in said
    assert "no more than 5 positives were missed" in said
    assert "3,144" in said


def test_plan_of_a_run_names_where_its_figures_come_from(run):
    said = invoke("plan", "--posts", 50_000, "--run", run, "--target", TARGET, "--prevalence", 0.05)
    assert "from the test split" in said


def test_sample_says_what_to_read_and_warns_about_leading_readers(run, scores, tmp_path):
    out = tmp_path / "s.parquet"
    said = invoke("sample", scores, "-r", run, "-t", TARGET, "--n", 100, "--n-flagged", 40, "-o", out)
    assert "near: 10 of 10 posts to read" in said
    assert "flagged: 40 of" in said
    assert "ids alone" in said
    assert len(pd.read_parquet(out)) == 140


def test_estimate_gives_interval_verdict_and_result_file(sample, decisions, tmp_path):
    out = tmp_path / "result.json"
    said = invoke("estimate", sample, "--decisions", decisions, "--flagged-decisions", decisions, "--out", out)
    result = json.loads(out.read_text(encoding="utf-8"))
    interval = result["estimate"]["recall"]["interval"]
    assert f"between {interval['low']:.1%} and {interval['high']:.1%}" in said
    assert "decisions are on posts outside the sample" in said
    assert result["estimate"]["verdict"] in {"consistent", "confirmed"}


def test_missing_decisions_are_counted_and_said(sample, decisions, tmp_path):
    pd.read_csv(decisions).iloc[:1_000].to_csv(tmp_path / "part.csv", index=False)
    arguments = ("estimate", sample, "--decisions", tmp_path / "part.csv", "--flagged-decisions", decisions)
    done = CliRunner().invoke(audit_commands.app, [str(argument) for argument in arguments])
    n = (
        ~pd.read_csv(sample)
        .query("stratum != 'flagged'")["post_id"]
        .isin(pd.read_csv(tmp_path / "part.csv")["post_id"])
    ).sum()
    assert f"{n} sampled posts have no clear decision: each is taken as worst" in done.output


def test_a_contradicted_promise_exits_3_with_one_sentence_and_the_next_step(sample, decisions, tmp_path):
    table = pd.read_csv(decisions)
    far = pd.read_csv(sample).query("stratum == 'far'")["post_id"].head(150)
    missed = table.assign(is_positive=table["is_positive"] | table["post_id"].isin(far))
    missed.to_csv(tmp_path / "missed.csv", index=False)
    path = tmp_path / "missed.csv"
    done = run_screening("estimate", sample, "--decisions", path, "--flagged-decisions", decisions)
    assert done.returncode == 3
    assert done.stderr == ""
    assert "contradicted: recall lies below its target" in done.stdout.splitlines()[-1]
    assert "screening recalibrate" in done.stdout.splitlines()[-1]


def test_drift_of_like_posts_exits_0_and_of_unlike_posts_3(run, scores, tmp_path):
    assert "trusted: no drift" in invoke("drift", scores, "--run", run, "--out", tmp_path / "drift.json")
    assert json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))["state"] == "trusted"
    longer = tmp_path / "longer.parquet"
    pd.read_parquet(scores).assign(n_tokens=900, is_truncated=True).to_parquet(longer)
    done = run_screening("drift", longer, "--run", run)
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1].startswith("broken: ")


def test_scores_of_another_model_exit_2(run, scores, tmp_path):
    other = tmp_path / "other.parquet"
    pd.read_parquet(scores).assign(model_version="0" * 12).to_parquet(other)
    done = run_screening("drift", other, "--run", run)
    assert done.returncode == 2
    assert "a threshold holds for its own model alone" in done.stderr


def test_result_files_are_never_replaced(sample, decisions, tmp_path):
    out = tmp_path / "result.json"
    out.write_text("kept", encoding="utf-8")
    done = run_screening("estimate", sample, "--decisions", decisions, "--flagged-decisions", decisions, "-o", out)
    assert done.returncode == 2
    assert out.read_text(encoding="utf-8") == "kept"
