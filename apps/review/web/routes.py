"""Signing in with a password, choosing a new one, signing out: plain forms, because only an answer can set a cookie."""

from urllib.parse import parse_qs

from anyio import CapacityLimiter, to_thread
from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from apps.review.identity.cookies import render_cookie, render_removal
from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.services.errors import NotSignedInError, ReviewError, StoreBusyError, StoreUnavailableError
from apps.review.services.own_account import change_own_password
from apps.review.web.doorkeeper import Doorkeeper, Visit
from apps.review.web.gate import PASSWORD, SIGN_IN, SIGN_OUT, VISIT
from apps.review.web.pages import (
    NOTICES,
    WRONG,
    capitalize,
    render_gone,
    render_new_password,
    render_sign_in,
)
from screening.exceptions import ConfigError

MAX_FORM_BYTES = 8_192
MAX_AT_ONCE = 2  # a check of a password takes 64 MiB for a moment
MAX_WAITING = 16
_FIELDS = frozenset({"user_name", "password", "present", "new", "again"})


class Forms:
    """The answers of the pages before the app."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        self._door = doorkeeper
        self._accounts = LocalAccounts(doorkeeper.context.store)
        self._limiter: CapacityLimiter | None = None

    def list_routes(self) -> list[Route]:
        """List the routes; with OpenID Connect the framework's own take their place."""
        method = self._door.settings.method
        if method == "oidc":
            return []
        routes = [Route(SIGN_OUT, self.sign_out, methods=["GET"])]
        if method == "local":
            routes += [
                Route(SIGN_IN, self.sign_in, methods=["GET", "POST"]),
                Route(PASSWORD, self.choose_password, methods=["GET", "POST"]),
            ]
        return routes

    async def sign_in(self, request: Request) -> Response:
        """Show the form, or check what was sent."""
        if request.method == "GET":
            if _read_visit(request).signed_in is not None:
                return RedirectResponse("/", 303)
            return HTMLResponse(render_sign_in(notice=NOTICES.get(request.url.query, "")))
        form = await self._read_form(request)
        if isinstance(form, Response):
            return form
        before = _read_visit(request).signed_in
        credentials = SignInRequest(user_name=form.get("user_name", ""), password=SecretStr(form.get("password", "")))
        try:
            opened = await to_thread.run_sync(lambda: self._open(credentials, before), limiter=self._limit())
        except (StoreBusyError, StoreUnavailableError) as error:
            return HTMLResponse(render_sign_in(problem=capitalize(str(error))), 503)
        if opened is None:
            return HTMLResponse(render_sign_in(problem=WRONG), 401)
        signed_in, token = opened
        response = RedirectResponse(PASSWORD if signed_in.must_change_password else "/", 303)
        response.headers.append("set-cookie", render_cookie(token, self._door.settings))
        return response

    async def choose_password(self, request: Request) -> Response:
        """Show the form, or set what was sent."""
        actor = _read_visit(request).signed_in
        if actor is None:  # the gate lets nobody else come so far
            return RedirectResponse(SIGN_IN, 303)
        if request.method == "GET":
            return HTMLResponse(render_new_password(is_forced=actor.must_change_password))
        form = await self._read_form(request)
        if isinstance(form, Response):
            return form
        problem = await to_thread.run_sync(lambda: self._set_password(actor, form), limiter=self._limit())
        if problem is not None:
            return HTMLResponse(render_new_password(is_forced=actor.must_change_password, problem=problem), 400)
        return self._leave("changed")

    async def sign_out(self, _request: Request) -> Response:
        """Forget the cookie; the gate has ended the session."""
        if self._door.settings.proxy is not None:
            response = HTMLResponse(render_gone(sign_out_url=self._door.settings.proxy.sign_out_url))
            response.headers.append("set-cookie", render_removal(self._door.settings))
            return response
        return self._leave("left")

    def _open(self, credentials: SignInRequest, before: SignedIn | None) -> tuple[SignedIn, str] | None:
        """Open a session; the browser's earlier one, whose window may stand open still, ends."""
        signed_in = self._accounts.identify(credentials, self._door.context.clock())
        if signed_in is not None and before is not None:
            self._door.sessions.end(before.session_id)
        return self._door.sessions.open(signed_in) if signed_in is not None else None

    def _set_password(self, actor: SignedIn, form: dict[str, str]) -> str | None:
        if form.get("new", "") != form.get("again", ""):
            return "The two new passwords differ; nothing was changed."
        try:
            change_own_password(self._door.context, actor, present=form.get("present", ""), new=form.get("new", ""))
        except NotSignedInError:
            return NOTICES["left"]
        except (ReviewError, ConfigError) as error:
            return capitalize(str(error))
        return None

    def _leave(self, notice: str) -> Response:
        response = RedirectResponse(f"{SIGN_IN}?{notice}", 303)
        response.headers.append("set-cookie", render_removal(self._door.settings))
        return response

    def _limit(self) -> CapacityLimiter:
        if self._limiter is None:  # belongs to the running event loop
            self._limiter = CapacityLimiter(MAX_AT_ONCE)
        return self._limiter

    async def _read_form(self, request: Request) -> dict[str, str] | Response:
        """Read a small form that one of our own pages sent, and only while not too many wait."""
        if not self._is_own_page(request):
            return PlainTextResponse("This form came from another site; nothing was done.", 403)
        if self._limit().statistics().tasks_waiting >= MAX_WAITING:
            return PlainTextResponse("Too many people sign in right now; try again in a moment.", 503)
        body = b""
        try:
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_FORM_BYTES:
                    return PlainTextResponse("This form is too long; nothing was done.", 413)
            fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=len(_FIELDS))
        except (UnicodeDecodeError, ValueError, ClientDisconnect):
            return PlainTextResponse("This form cannot be read; nothing was done.", 400)
        return {name: values[0] for name, values in fields.items() if name in _FIELDS and len(values) == 1}

    def _is_own_page(self, request: Request) -> bool:
        """Compare where a form comes from with where it goes; browsers say both, and a page cannot make them lie."""
        origin, host = request.headers.get("origin"), request.headers.get("host")
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        return self._door.settings.is_own_origin(origin, host)


def _read_visit(request: Request) -> Visit:
    visit = request.scope.get(VISIT)
    return visit if isinstance(visit, Visit) else Visit()
