"""What this machine offers to the toolkit, what is missing, and the next step for each."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal

from screening.config import TrackingConfig
from screening.exceptions import ScreeningError
from screening.types import Record

Status = Literal["ok", "missing", "broken"]

MIN_PYTHON, MAX_PYTHON = (3, 11), (3, 13)
MIN_FREE_GIB = 2.0  # one run with checkpoints, bundle and tracked model of the embedded encoder is under 1 GiB
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STYLES = {"ok": "green", "missing": "yellow", "broken": "red"}


class Check(Record):
    """One line of the diagnosis.

    ``missing`` means optional and absent; ``broken`` means that the main job cannot run until ``next_step`` is done.
    """

    name: str
    status: Status
    finding: str
    next_step: str = ""


def diagnose(tracking: TrackingConfig) -> list[Check]:
    """Check the machine; changes nothing.

    Parameters
    ----------
    tracking : TrackingConfig
        MLflow store to check.

    Returns
    -------
    list of Check
        In the order a run needs them. A check that fails in an unexpected way is reported as broken.
    """
    checks: dict[str, Callable[[], Check]] = {
        "Python": check_python,
        "torch": check_torch,
        "Precision": check_precision,
        "OpenVINO": check_openvino,
        "CUDA": check_cuda,
        "Encoder": check_encoder,
        "MLflow store": lambda: check_mlflow(tracking),
        "Disk": lambda: check_disk(Path.cwd()),
        "Java": check_java,
        "Chromium": check_chromium,
        "Hub token": check_hub_token,
    }
    return [_run_check(name, check) for name, check in checks.items()]


def run_doctor(tracking: TrackingConfig) -> int:
    """Print the diagnosis as a table.

    Returns
    -------
    int
        Exit code: 0, or 2 if something the main job needs is broken.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("check", "state", "found", "next step", title="screening doctor")
    found = diagnose(tracking)
    for check in found:
        state = "missing (optional)" if check.status == "missing" else check.status
        table.add_row(check.name, f"[{STYLES[check.status]}]{state}[/]", escape(check.finding), escape(check.next_step))
    Console().print(table)
    return 2 if any(check.status == "broken" for check in found) else 0


def check_python() -> Check:
    """Check the interpreter's version."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if MIN_PYTHON <= sys.version_info[:2] < MAX_PYTHON:
        return Check(name="Python", status="ok", finding=version)
    return Check(name="Python", status="broken", finding=version, next_step="install Python 3.11, then: make demo")


def check_torch() -> Check:
    """Check that torch imports, and say how many threads it uses."""
    try:
        import torch
    except ImportError:
        return Check(name="torch", status="broken", finding="not installed", next_step="make demo")
    return Check(name="torch", status="ok", finding=f"{torch.__version__}, {torch.get_num_threads()} threads")


def check_precision() -> Check:
    """Say which precision inference will use and why."""
    from screening.inference.precision import describe_hardware, detect_precision

    hardware = describe_hardware()
    units = [name for name in ("amx", "avx512_bf16") if hardware.get(name)]
    finding = f"{detect_precision()} on {hardware['cpu_model']} ({', '.join(units) or 'no bfloat16 unit'})"
    if units:
        return Check(name="Precision", status="ok", finding=finding)
    return Check(
        name="Precision",
        status="missing",
        finding=finding,
        next_step="nothing to do; a CPU with AMX or AVX512-BF16 is about four times as fast",
    )


def check_openvino() -> Check:
    """Look for OpenVINO, the faster backend on a CPU."""
    from importlib.metadata import version

    from screening.inference.backends import is_installed

    if is_installed("openvino"):
        return Check(name="OpenVINO", status="ok", finding=f"{version('openvino')}, for inference.backend=openvino")
    return Check(
        name="OpenVINO",
        status="missing",
        finding="not installed",
        next_step="to score faster on a CPU: .venv/bin/pip install -e '.[openvino]' -c constraints.txt",
    )


def check_cuda() -> Check:
    """Say whether torch sees a CUDA device."""
    import torch

    if torch.cuda.is_available():
        return Check(name="CUDA", status="ok", finding=torch.cuda.get_device_name())
    return Check(
        name="CUDA", status="missing", finding="no device", next_step="nothing to do; the embedded encoder runs on CPU"
    )


def check_encoder() -> Check:
    """Find the embedded encoder and compare its weights with the published SHA-256."""
    from screening.models.encoder import EMBEDDED_ENCODER, EMBEDDED_SHA256, locate_embedded_encoder

    try:
        locate_embedded_encoder()
    except ScreeningError as error:
        return Check(name="Encoder", status="broken", finding=str(error), next_step="rm .venv/.installed* && make demo")
    finding = f"{EMBEDDED_ENCODER}, SHA-256 {EMBEDDED_SHA256[:12]}… verified"
    return Check(name="Encoder", status="ok", finding=finding)


def check_mlflow(config: TrackingConfig) -> Check:
    """See whether the MLflow store can be read and written, without writing to it."""
    if config.uri.startswith("sqlite:///"):
        finding, is_usable = _inspect_database(Path(config.uri.removeprefix("sqlite:///")).resolve())
    else:
        finding, is_usable = _ask_server(config.uri)
    if is_usable:
        return Check(name="MLflow store", status="ok", finding=finding)
    next_step = "--set tracking.uri=sqlite:///FILE with FILE in a writable folder"
    return Check(name="MLflow store", status="broken", finding=finding, next_step=next_step)


def check_disk(folder: Path) -> Check:
    """Check the free space where runs are written."""
    free_gib = shutil.disk_usage(folder).free / 2**30
    finding = f"{free_gib:.1f} GiB free"
    if free_gib >= MIN_FREE_GIB:
        return Check(name="Disk", status="ok", finding=finding)
    return Check(
        name="Disk",
        status="broken",
        finding=finding,
        next_step=f"free {MIN_FREE_GIB:g} GiB, or set output_dir elsewhere",
    )


def check_java() -> Check:
    """Look for Java, which only Spark needs."""
    found = shutil.which("java")
    if found:
        return Check(name="Java", status="ok", finding=found)
    return Check(name="Java", status="missing", finding="no java", next_step="install Java 17 to score with Spark")


def check_chromium() -> Check:
    """Look for Chromium, which only the browser tests need."""
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found:
        return Check(name="Chromium", status="ok", finding=found)
    return Check(
        name="Chromium", status="missing", finding="no browser", next_step="install chromium to run the browser tests"
    )


def check_hub_token() -> Check:
    """Say whether a Hugging Face token is set; its value is never read out."""
    from huggingface_hub import get_token

    if get_token() is not None:
        return Check(name="Hub token", status="ok", finding="present")
    return Check(
        name="Hub token", status="missing", finding="absent", next_step="hf auth login, for gated data such as SWMH"
    )


def _inspect_database(database: Path) -> tuple[str, bool]:
    """Say what is at an SQLite path, and whether MLflow can use it."""
    if not database.exists():
        folder = next(parent for parent in database.parents if parent.exists())
        if os.access(folder, os.W_OK):
            return f"{database.name}: will be made by the first run", True
        return f"{database.name}: folder {folder} is not writable", False
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            (n_runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    except sqlite3.Error as error:
        return f"{database.name} is not an MLflow database ({error})", False
    if not os.access(database, os.W_OK):
        return f"{database.name} is read-only", False
    return f"{database.name}, {n_runs} tracked runs", True


def _ask_server(uri: str) -> tuple[str, bool]:
    """Ask an MLflow server or database server whether it answers."""
    from pipelines.tracking import is_reachable

    answers = is_reachable(uri)
    return f"{uri} {'answers' if answers else 'does not answer'}", answers


def _run_check(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # a diagnosis goes on whatever it meets
        finding = f"check failed with {type(error).__name__}: {error}"
        return Check(name=name, status="broken", finding=finding, next_step="make test shows more")
