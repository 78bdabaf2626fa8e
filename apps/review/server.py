"""The command that starts the web server, with safe settings spelled out."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from apps.review.identity.settings import (
    PREFIX,
    PUBLIC_URL_VARIABLE,
    SIGN_IN_VARIABLE,
    read_sign_in_settings,
)
from screening.exceptions import ConfigError

if TYPE_CHECKING:
    from apps.review.services.context import ReviewContext

APP = Path(__file__).parent / "asgi.py"
BLIND_VARIABLE = "SCREENING_REVIEW_BLIND"
DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_PORT = 8501

_SETTINGS = {
    "server.headless": "true",
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.enableStaticServing": "false",
    "server.enableAgentApi": "false",
    "server.xsrfCookieSameSite": "strict",
    "server.maxUploadSize": "1",
    "server.maxMessageSize": "32",
    "server.maxWidgetStateSize": "2",
    "server.allowRunOnSave": "false",
    "server.scriptHealthCheckEnabled": "false",
    "server.showEmailPrompt": "false",
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
    own_origin = f"http://{address}:{port}"  # the only page that may send this app messages; no other may frame it
    settings = {**_SETTINGS, "server.address": address, "server.port": str(port), "client.allowedOrigins": own_origin}
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags]


def build_environment(
    database_url: str, *, is_blind: bool, sign_in: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Build the environment of the web server: which database, how people sign in, whether first judgements are blind.

    What is secret goes this way too, because everyone on the machine can read a command line.

    Parameters
    ----------
    database_url : str
    is_blind : bool
    sign_in : mapping of str to str
        Variables that :func:`apps.review.identity.settings.read_sign_in_settings` reads.
    """
    return {
        **os.environ,
        **sign_in,
        "SCREENING_REVIEW_DB": database_url,
        BLIND_VARIABLE: "1" if is_blind else "0",
        # Otherwise anyone on this machine could claim another address in a header, and be taken for the proxy.
        "FORWARDED_ALLOW_IPS": "",
    }


def build_sign_in(
    *,
    address: str,
    port: int,
    method: str | None = None,
    public_url: str | None = None,
    proxy_header: str | None = None,
    proxy_addresses: Sequence[str] = (),
) -> dict[str, str]:
    """Turn options of the command line into variables, and check them with those that are set already.

    Raises
    ------
    ConfigError
        If something is missing or unsafe.
    """
    chosen = {
        SIGN_IN_VARIABLE: method or ("proxy" if proxy_header else None),
        PUBLIC_URL_VARIABLE: public_url or os.environ.get(PUBLIC_URL_VARIABLE) or f"http://{address}:{port}",
        f"{PREFIX}PROXY_HEADER": proxy_header,
        f"{PREFIX}PROXY_ADDRESSES": ",".join(proxy_addresses) or None,
    }
    variables = {name: value for name, value in chosen.items() if value is not None}
    settings = read_sign_in_settings({**os.environ, **variables})
    if settings.method == "oidc" and find_spec("authlib") is None:
        install = ".venv/bin/pip install -e '.[oidc]' -c constraints.txt"
        message = f"sign-in by OpenID Connect needs one more package; run: {install}"
        raise ConfigError(message)
    return variables


@lru_cache(maxsize=1)
def open_context() -> "ReviewContext":
    """Open what the environment names, the database and the rules of the house: once for the gate and all pages."""
    from apps.review.services.context import SETTINGS_VARIABLE, ReviewContext, read_settings
    from apps.review.store.database import open_store

    path = os.environ.get(SETTINGS_VARIABLE)
    settings = read_settings(Path(path) if path else None)
    is_blind = settings.is_blind and os.environ.get(BLIND_VARIABLE, "1") != "0"
    return ReviewContext(open_store(), settings.model_copy(update={"is_blind": is_blind}))


def serve(
    database_url: str, *, address: str, port: int, is_blind: bool, sign_in: Mapping[str, str] | None = None
) -> None:
    """Become the web server; does not return.

    Raises
    ------
    ConfigError
        If the sign-in is unsafe, or the team's guideline cannot be read.
    """
    from apps.review.services.guidelines import load_guidelines

    load_guidelines()
    variables = build_sign_in(address=address, port=port) if sign_in is None else sign_in
    sys.stdout.flush()
    sys.stderr.flush()
    command = build_command(address, port)
    environment = build_environment(database_url, is_blind=is_blind, sign_in=variables)
    os.execve(command[0], command, environment)  # noqa: S606  # no shell wanted
