"""The gate in front of the web framework: nothing behind it answers a request that belongs to no session."""

import logging
from collections.abc import Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.review.identity.cookies import render_cookie
from apps.review.services.errors import ReviewError, StoreBusyError, StoreUnavailableError
from apps.review.services.own_account import sign_out
from apps.review.web.doorkeeper import Doorkeeper, Visit
from apps.review.web.pages import render_refusal, render_trouble

VISIT = "review.visit"  # where the routes behind the gate find whose request it is
HEALTH = "/_stcore/health"
SIGN_OUT = "/auth/logout"
PASSWORD = "/password"  # noqa: S105  # a path
SIGN_IN = "/sign-in"
CALLBACK = "/oauth2callback"
_LOG = logging.getLogger(__name__)

# The framework's own program files: the same for everyone, and of no use without the rest.
_PROGRAM = ("/static/", "/favicon.png", "/manifest.json", "/robots.txt")
_NOT_PAGES = ("/_stcore", "/media", "/component", "/static", "/auth", CALLBACK, "/vendor", SIGN_IN)
# What the framework's sign-in needs before anyone is signed in; its script then shows the sign-in page only.
_OIDC_DOOR = ("/_stcore/host-config", "/auth/login", CALLBACK, "/_stcore/stream")


class Gate:
    """ASGI middleware that asks the doorkeeper and writes the security headers.

    Parameters
    ----------
    app : ASGIApp
        The web framework.
    doorkeeper : Doorkeeper
    headers : mapping of str to str
        For every answer.
    """

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper, headers: Mapping[str, str]) -> None:
        self._app = app
        self._door = doorkeeper
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, pass on, or refuse one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        path = _read_path(scope)
        if path == HEALTH or (scope["type"] == "http" and path.startswith(_PROGRAM)):
            await self._app(scope, receive, self._dress(send, ()))
            return
        connection = HTTPConnection(scope)
        if not self._door.settings.is_own_host(connection.headers.get("host")):
            await _refuse(PlainTextResponse("Unknown host name.", 400), scope, receive, self._dress(send, ()))
            return
        if scope["type"] == "websocket" and not self._is_own_page(connection):
            await _refuse(PlainTextResponse("", 403), scope, receive, send)
            return
        is_page = _is_page(scope, path)
        try:
            visit = await self._look(scope, is_page=is_page)
        except (StoreBusyError, StoreUnavailableError) as error:
            said = HTMLResponse(render_trouble(str(error)), 503) if is_page else PlainTextResponse(str(error), 503)
            await _refuse(said, scope, receive, self._dress(send, ()))
            return
        scope[VISIT] = visit
        cookies = (render_cookie(visit.new_token, self._door.settings),) if visit.new_token else ()
        dressed = self._dress(send, cookies)
        refusal = self._find_refusal(scope, path, visit)
        if refusal is not None:
            await _refuse(refusal, scope, receive, dressed)
            return
        if path == SIGN_OUT:
            await self._sign_out(visit)
        await self._app(scope, receive, dressed)

    def _is_own_page(self, connection: HTTPConnection) -> bool:
        """Tell whether a page of ours opens a socket; the framework would let in every page of this machine's name."""
        return self._door.settings.is_own_origin(connection.headers.get("origin"), connection.headers.get("host"))

    async def _look(self, scope: Scope, *, is_page: bool) -> Visit:
        peer = scope["client"][0] if scope.get("client") else None
        return await to_thread.run_sync(
            lambda: self._door.look(_read_cookies(scope), scope["headers"], peer, may_open=is_page)
        )

    def _find_refusal(self, scope: Scope, path: str, visit: Visit) -> Response | None:
        """Say what stands in the way of a request, if anything does."""
        is_page = _is_page(scope, path)
        if visit.is_refused:
            page = HTMLResponse(render_refusal(), 403)
            return page if is_page or path == SIGN_OUT else PlainTextResponse("Not allowed.", 403)
        if path == SIGN_OUT:
            is_foreign = HTTPConnection(scope).headers.get("sec-fetch-site") == "cross-site"
            return RedirectResponse("/", 303) if is_foreign else None
        if visit.signed_in is None:
            return self._find_refusal_of_nobody(path, is_page=is_page)
        if visit.signed_in.must_change_password and path != PASSWORD:
            return RedirectResponse(PASSWORD, 303) if is_page else PlainTextResponse("Set a password first.", 403)
        return None

    def _find_refusal_of_nobody(self, path: str, *, is_page: bool) -> Response | None:
        method = self._door.settings.method
        if method == "local" and path == SIGN_IN:
            return None
        if method == "oidc" and (is_page or path in _OIDC_DOOR):
            return None
        return RedirectResponse(SIGN_IN, 303) if is_page else PlainTextResponse("Sign in first.", 401)

    async def _sign_out(self, visit: Visit) -> None:
        if visit.signed_in is None:
            return
        signed_in = visit.signed_in
        try:
            await to_thread.run_sync(lambda: sign_out(self._door.context, signed_in))
        except ReviewError:  # ended in the same moment elsewhere
            _LOG.info("a session was over before its sign-out")

    def _dress(self, send: Send, cookies: tuple[str, ...]) -> Send:
        """Add the headers, and the cookies, to the first message of an answer."""

        async def _send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", [])))
                for name, value in self._headers.items():
                    headers[name] = value
                if headers.get("content-type", "").startswith("text/html"):
                    headers["cache-control"] = "no-store"
                for cookie in cookies:
                    headers.append("set-cookie", cookie)
                secured = self._door.settings.is_secure
                message = {**message, "headers": [_secure(*pair) if secured else pair for pair in headers.raw]}
            await send(message)

        return _send


async def _refuse(response: Response, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "sign in first"})
        return
    await response(scope, receive, send)


def _secure(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Keep the framework's own cookies off unencrypted connections too."""
    is_open = name.lower() == b"set-cookie" and b"; secure" not in value.lower()
    return name, value + b"; Secure" if is_open else value


def _read_path(scope: Scope) -> str:
    return "/" + str(scope["path"]).lstrip("/")


def _is_page(scope: Scope, path: str) -> bool:
    """Tell whether a person looks at the answer: every path the framework answers with its page."""
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        return False
    return not any(path == prefix or path.startswith(f"{prefix}/") for prefix in _NOT_PAGES)


def _read_cookies(scope: Scope) -> dict[str, str]:
    """Read the cookies; a name sent twice counts as not sent, since one of the two may be planted."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for name, value in scope["headers"]:
        if name != b"cookie":
            continue
        for part in value.decode("latin-1").split(";"):
            key, separator, content = part.strip().partition("=")
            if not separator:
                continue
            twice |= {key} & found.keys()
            found[key] = _unquote(content)
    return {key: content for key, content in found.items() if key not in twice}


def _unquote(content: str) -> str:
    if not content.startswith('"'):
        return content
    try:
        return next(iter(SimpleCookie(f"x={content}").values())).value
    except (CookieError, StopIteration):
        return content
