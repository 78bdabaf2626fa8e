"""What the web framework is handed: the gate, and the secrets of its OpenID Connect client, in memory only."""

import secrets
from typing import Any

from starlette.middleware import Middleware

from apps.review.identity.settings import SignInSettings
from apps.review.web.doorkeeper import Doorkeeper
from apps.review.web.gate import CALLBACK, Gate
from apps.review.web.headers import build_headers, read_index_page


def build_middleware(doorkeeper: Doorkeeper) -> list[Middleware]:
    """Build the middleware in front of the framework's own."""
    headers = build_headers(read_index_page(), is_secure=doorkeeper.settings.is_secure)
    return [Middleware(Gate, doorkeeper=doorkeeper, headers=headers)]


def build_secrets(settings: SignInSettings) -> dict[str, Any] | None:
    """Build the framework's sign-in section; nothing is written to a file.

    Without a cookie secret of its own a server makes one at each start, and everyone signs in again after it.
    """
    if settings.oidc is None:
        return None
    cookie_secret = settings.oidc.cookie_secret
    return {
        "auth": {
            "redirect_uri": f"{settings.public_url}{CALLBACK}",
            "cookie_secret": cookie_secret.get_secret_value() if cookie_secret else secrets.token_hex(32),
            "client_id": settings.oidc.client_id,
            "client_secret": settings.oidc.client_secret.get_secret_value(),
            "server_metadata_url": settings.oidc.metadata_url,
            "client_kwargs": {"scope": "openid email", "prompt": settings.oidc.prompt},
        }
    }
