"""The packages import each other one way, and the command line starts without the heavy libraries."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "datasets", "captum", "mlflow", "streamlit", "sklearn", "pandas", "matplotlib")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


def test_import_contracts_are_kept():
    linter = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([linter, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


def test_command_line_starts_without_heavy_libraries():
    code = f"import sys, pipelines.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    checked = run_python(code)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.strip() == "[]"


def test_help_of_the_command_line_loads_no_heavy_library():
    code = (
        "import sys, runpy; sys.argv = ['screening', '--help']\n"
        "from pipelines.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    checked = run_python(code)
    assert checked.returncode == 0, checked.stderr
    assert "Usage" in checked.stdout


@pytest.mark.parametrize(
    "module",
    ["screening.config", "screening.taxonomy", "screening.metrics", "screening.thresholds", "screening.calibration"],
)
def test_light_rooms_load_no_deep_learning_library(module):
    code = (
        f"import sys, {module}; print([n for n in ('torch', 'transformers', 'captum', 'datasets') if n in sys.modules])"
    )
    checked = run_python(code)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.strip() == "[]"
