"""Which cookie carries the session's token, and how it is set."""

from collections.abc import Mapping

from apps.review.identity.settings import SignInSettings

_OIDC_COOKIE = "_streamlit_user"  # set by the web framework after an OpenID Connect sign-in; long ones come in pieces
MIN_TOKEN_CHARACTERS = 32


def name_cookie(settings: SignInSettings) -> str:
    """Name of our cookie; the prefix makes browsers insist on ``Secure`` and on no other host setting it."""
    return "__Host-review_session" if settings.is_secure else "review_session"


def read_token(cookies: Mapping[str, str], settings: SignInSettings) -> str | None:
    """Read what the browser holds, if it holds something.

    After a sign-in by OpenID Connect that is the framework's own signed cookie, of which the server knows the digest:
    it lives for 30 days, its session does not.
    """
    if settings.method != "oidc":
        token = cookies.get(name_cookie(settings))
        return token if isinstance(token, str) and len(token) >= MIN_TOKEN_CHARACTERS else None
    pieces = [(name, cookies[name]) for name in sorted(cookies) if _is_piece(name)]
    return "\n".join(f"{name}={value}" for name, value in pieces) if pieces else None


def render_cookie(token: str, settings: SignInSettings) -> str:
    """Render ``Set-Cookie`` for a session; it ends with the browser, or earlier with the session."""
    secure = "; Secure" if settings.is_secure else ""
    return f"{name_cookie(settings)}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"


def render_removal(settings: SignInSettings) -> str:
    """Render ``Set-Cookie`` that makes the browser forget the session."""
    return f"{render_cookie('', settings)}; Max-Age=0"


def _is_piece(name: str) -> bool:
    return name == _OIDC_COOKIE or (
        name.startswith(f"{_OIDC_COOKIE}_") and name.removeprefix(f"{_OIDC_COOKIE}_").isdigit()
    )
