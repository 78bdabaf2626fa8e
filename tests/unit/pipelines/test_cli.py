import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from pipelines.unexpected import describe_system_error, describe_unexpected


def run_screening(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = "import sys; from pipelines.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=cwd, timeout=300, check=False
    )


def test_help_teaches_the_first_command_and_lists_every_other() -> None:
    shown = run_screening("--help").stdout
    assert "screening run --config demo" in shown
    commands = ("run", "prepare", "train", "calibrate", "evaluate", "report", "register", "score", "explain", "doctor",
                "compare", "export")  # fmt: skip
    assert all(name in shown for name in (*commands, "review"))


def test_the_version_is_said_without_a_command() -> None:
    done = run_screening("--version")
    assert (done.returncode, done.stdout) == (0, f"screening {version('screening')}\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("run", "--config", "nowhere"), "cannot be read"),
        (("run", "--config", "demo", "--set", "data.sauce=x"), "did you mean 'source'"),
        (("run", "--config", "."), "found the folder"),
        (("report", "--config", "demo", "--set", "name=absent"), "screening prepare"),
        (("register", "--config", "demo", "--bundle", "own", "--roll-back-to", "3"), "leave out --bundle"),
        (("register", "--config", "demo", "--move-alias", "--roll-back-to", "3"), "leave out --bundle"),
        (("explain", "--measured-posts", "5", "--out", "spans.parquet"), "--measured-posts is for a run"),
    ],
)
def test_wrong_input_exits_2_with_the_next_step_and_writes_nothing(
    arguments: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    done = run_screening(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_unexpected_error_hides_its_message_which_could_quote_a_post() -> None:
    def fail() -> None:
        message = "words of a post"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError) as caught:
        fail()
    shown = describe_unexpected(caught.value)
    assert "words of a post" not in shown
    assert "RuntimeError" in shown
    assert "fail" in shown


def test_what_the_system_refuses_is_told_with_its_path_and_exits_2(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder is wanted", encoding="utf-8")
    done = run_screening("prepare", "--config", "demo", "--set", "data.n_synthetic=400", cwd=tmp_path)
    assert done.returncode == 2
    assert "runs" in done.stderr
    assert "unexpected" not in done.stderr
    assert describe_system_error(OSError(28, "words of a post", "out/a.parquet")) == (
        "out/a.parquet: No space left on device; mend that and give the same command again"
    )
    assert describe_system_error(OSError("words of a post")) is None


def test_what_an_input_holds_cannot_command_the_terminal(tmp_path: Path) -> None:
    done = run_screening("run", "--config", "none\x1b]0;forged\x07\N{RIGHT-TO-LEFT OVERRIDE}", cwd=tmp_path)
    assert done.returncode == 2
    assert "none[ESC]]0;forged" in done.stderr
    assert done.stderr.replace("\n", "").isprintable()


def test_bad_input_leaves_an_earlier_run_as_it_was(tmp_path: Path) -> None:
    arguments = ("prepare", "--config", "demo", "--set", "data.n_synthetic=400")
    assert run_screening(*arguments, cwd=tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "bad.csv").write_text("text,label\nsome words,no such label\n", encoding="utf-8")
    bad = run_screening(*arguments, "--set", "data.source=file", "--set", "data.path=bad.csv", cwd=tmp_path)
    assert bad.returncode == 2
    assert "some words" not in bad.stderr
    (tmp_path / "bad.csv").unlink()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert "done before" in run_screening(*arguments, cwd=tmp_path).stdout
