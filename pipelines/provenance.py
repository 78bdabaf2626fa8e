"""Which code made a run: commit and library versions."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "screening",
    "torch",
    "transformers",
    "datasets",
    "scikit-learn",
    "numpy",
    "scipy",
    "pandas",
    "captum",
    "mlflow",
    "streamlit",
)


def find_commit() -> str:
    """Find the commit of the code that runs, with ``+changes`` where files differ from it; ``unknown`` outside git."""
    folder = Path(__file__).resolve().parent
    try:
        commit = _ask_git(folder, "rev-parse", "HEAD")
        changes = _ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{commit[:12]}+changes" if changes else commit[:12]


def find_versions() -> dict[str, str]:
    """Find the versions of Python and of the libraries a result depends on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return versions


def _ask_git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603  fixed words
