"""The command that starts the web server, with safe settings spelled out."""

import os
import sys
from pathlib import Path

APP = Path(__file__).parent / "app.py"
BLIND_VARIABLE = "SCREENING_REVIEW_BLIND"
DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_PORT = 8501

_SETTINGS = {
    "server.headless": "true",
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.enableStaticServing": "false",
    "server.enableAgentApi": "false",
    "server.maxUploadSize": "1",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",  # a traceback may hold a post's words
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "client.disableDataExport": "true",
    "runner.magicEnabled": "false",
    "theme.light.primaryColor": "#1f6f6b",
    "theme.light.backgroundColor": "#fbfaf8",
    "theme.light.secondaryBackgroundColor": "#f0eeea",
    "theme.light.textColor": "#22302f",
    "theme.light.borderColor": "#dcd8d0",
    "theme.dark.primaryColor": "#26807a",
    "theme.dark.backgroundColor": "#171c1c",
    "theme.dark.secondaryBackgroundColor": "#20282a",
    "theme.dark.textColor": "#e6ebea",
    "theme.dark.borderColor": "#39454a",
    "theme.baseRadius": "0.5rem",
    "theme.showWidgetBorder": "true",
}


def build_command(address: str = DEFAULT_ADDRESS, port: int = DEFAULT_PORT) -> list[str]:
    """Build the command line of the web server.

    Examples
    --------
    >>> "--server.address=127.0.0.1" in build_command()
    True
    """
    settings = {**_SETTINGS, "server.address": address, "server.port": str(port)}
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags]


def build_environment(database_url: str, *, is_blind: bool) -> dict[str, str]:
    """Build the environment of the web server: which database, and whether first judgements are blind."""
    return {**os.environ, "SCREENING_REVIEW_DB": database_url, BLIND_VARIABLE: "1" if is_blind else "0"}


def serve(database_url: str, *, address: str, port: int, is_blind: bool) -> None:
    """Become the web server; does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = build_command(address, port)
    os.execve(command[0], command, build_environment(database_url, is_blind=is_blind))  # noqa: S606  # no shell wanted
