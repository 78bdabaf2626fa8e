"""The gate and its forms around a framework that answers everything."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from apps.review.identity.records import SignedIn
from apps.review.identity.sessions import hash_token
from apps.review.identity.settings import SignInSettings
from apps.review.server import APP, open_context
from apps.review.services.accounts import add_user, change_role, deactivate_user, set_password
from apps.review.services.context import ReviewContext
from apps.review.state import load_context
from apps.review.store.models import Event, UserSession
from apps.review.web.doorkeeper import Doorkeeper
from apps.review.web.gate import Gate
from apps.review.web.headers import build_headers
from apps.review.web.routes import Forms

ORIGIN = "http://127.0.0.1:8501"
SOCKETS = "ws://127.0.0.1:8501"
PASSWORD, OTHER = "a long enough password", "quite another sentence"
VIEWS = sorted(path.stem for path in (Path(__file__).parents[2] / "apps" / "review" / "views").glob("[a-z]*.py"))
RAW = ["/_stcore/host-config", "/_stcore/metrics", "/_stcore/upload_file/x/y", "/_stcore/agent/openapi.json",
       "/_stcore/script-health-check", "/media/abc.csv", "/component/x/index.html", "/auth/login", "/oauth2callback",
       "/_stcore", "/vendor/x"]  # fmt: skip
Visitor = TestClient


def build_site(context: ReviewContext, settings: SignInSettings) -> Starlette:
    """A framework that would tell everyone everything, behind the real gate and forms."""

    async def tell(_: Request) -> HTMLResponse:
        return HTMLResponse("everything", headers={"set-cookie": "of_the_framework=1; Path=/"})

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("everything")
        await socket.close()

    doorkeeper = Doorkeeper(context, settings)
    methods = ["GET", "POST", "PUT", "DELETE"]
    routes = [
        *Forms(doorkeeper).list_routes(),
        WebSocketRoute("/{path:path}", talk),
        Route("/{p:path}", tell, methods=methods),
    ]
    headers = build_headers("<script>a()</script>", is_secure=settings.is_secure)
    return Starlette(routes=routes, middleware=[Middleware(Gate, doorkeeper=doorkeeper, headers=headers)])


@pytest.fixture
def visit(context: ReviewContext, operator: SignedIn) -> Callable[..., Visitor]:
    """Browsers, each with cookies of its own."""
    add_user(context, operator, name="ada", role="reviewer", password=PASSWORD)
    site = build_site(context, SignInSettings())
    own = {"origin": ORIGIN}  # as browsers send it with every socket
    return lambda **options: TestClient(site, base_url=ORIGIN, follow_redirects=False, headers=own, **options)


def sign_in(visitor: Visitor, name: str = "ada", password: str = PASSWORD, **headers: str) -> Any:
    form = {"user_name": name, "password": password}
    return visitor.post("/sign-in", data=form, headers={"origin": ORIGIN, **headers})


def is_in(visitor: Visitor) -> bool:
    return bool(visitor.get("/").text == "everything")


@pytest.mark.parametrize("path", ["/", *(f"/{view}" for view in VIEWS), "/anything/else", "/password"])
def test_without_a_session_every_page_leads_to_the_sign_in(visit: Callable[..., Visitor], path: str) -> None:
    answer = visit().get(path)
    assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/sign-in", "")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", RAW)
def test_without_a_session_no_other_address_answers(visit: Callable[..., Visitor], path: str, method: str) -> None:
    answer = visit().request(method, path)
    assert answer.status_code == 401
    assert answer.text == "Sign in first."


@pytest.mark.parametrize("path", ["/_stcore/stream", "/", "/static/js/x.js", "/_stcore/healthy"])
def test_without_a_session_no_socket_opens(visit: Callable[..., Visitor], path: str) -> None:
    with pytest.raises(WebSocketDisconnect), visit().websocket_connect(f"{SOCKETS}{path}"):
        pass


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:9999", "http://localhost:8501", "https://127.0.0.1:8501", "http://127.0.0.1", "null", "",
     "https://evil.example", "http://127.0.0.1:8501.evil.example", "http://127.0.0.1:8501@evil.example"],
)  # fmt: skip
def test_a_page_of_another_server_opens_no_socket_with_our_cookie(visit: Callable[..., Visitor], origin: str) -> None:
    visitor = visit()
    sign_in(visitor)
    with (
        pytest.raises(WebSocketDisconnect),
        visitor.websocket_connect(f"{SOCKETS}/_stcore/stream", headers={"origin": origin}),
    ):
        pass


def test_behind_tls_an_unencrypted_page_of_the_same_name_is_another_server() -> None:
    settings = SignInSettings(public_url="https://review.example.org")
    host = "review.example.org"
    assert settings.is_own_origin("https://review.example.org", host)
    assert not settings.is_own_origin("http://review.example.org", host)
    assert not settings.is_own_origin("https://other.example.org", host)
    assert not settings.is_own_origin(None, host)


def test_the_health_of_the_server_and_its_program_are_no_secret(visit: Callable[..., Visitor]) -> None:
    for path in ("/_stcore/health", "/static/js/index.js", "/favicon.png"):
        assert visit().get(path).status_code == 200


def test_a_session_opens_everything_until_it_is_left(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    answer = sign_in(visitor)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    attributes = set(answer.headers["set-cookie"].split("; ")[1:])
    assert attributes == {"HttpOnly", "SameSite=Strict", "Path=/"}
    assert is_in(visitor)
    with visitor.websocket_connect(f"{SOCKETS}/_stcore/stream") as socket:
        assert socket.receive_text() == "everything"
    kept = dict(visitor.cookies)
    assert visitor.get("/auth/logout").headers["location"] == "/sign-in?left"
    assert not is_in(visitor)
    assert not is_in(visit(cookies=kept))


def test_signing_in_again_ends_the_session_this_browser_had(
    visit: Callable[..., Visitor], context: ReviewContext, operator: SignedIn
) -> None:
    add_user(context, operator, name="bob", role="reviewer", password=PASSWORD)
    visitor, elsewhere = visit(), visit()
    sign_in(elsewhere)
    sign_in(visitor)
    kept = dict(visitor.cookies)
    sign_in(visitor, "bob", OTHER)
    assert is_in(visit(cookies=kept))  # a wrong password ends nothing
    sign_in(visitor, "bob")
    assert not is_in(visit(cookies=kept))
    assert is_in(visitor)
    assert is_in(elsewhere)


def test_behind_tls_the_cookie_is_secure_and_belongs_to_this_host_alone(
    context: ReviewContext, operator: SignedIn
) -> None:
    add_user(context, operator, name="ada", role="reviewer", password=PASSWORD)
    url = "https://review.example.org"
    visitor = TestClient(build_site(context, SignInSettings(public_url=url)), base_url=url, follow_redirects=False)
    answer = sign_in(visitor, origin=url)
    assert answer.headers["set-cookie"].startswith("__Host-review_session=")
    assert "; Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert is_in(visitor)
    assert visitor.get("/").headers["set-cookie"] == "of_the_framework=1; Path=/; Secure"


def test_the_store_holds_only_a_digest_of_the_token(visit: Callable[..., Visitor], context: ReviewContext) -> None:
    visitor = visit()
    sign_in(visitor)
    token = visitor.cookies["review_session"]
    with context.store.read() as session:
        (row,) = session.scalars(select(UserSession)).all()
    assert row.token_hash == hash_token(token) != token
    assert len(token) == 43  # 256 bits
    assert not is_in(visit(cookies={"review_session": row.token_hash}))
    assert not is_in(visit(cookies={"review_session": ""}))


def test_sessions_rest_for_a_while_and_live_for_a_working_day(visit: Callable[..., Visitor], clock: Any) -> None:
    visitor = visit()
    sign_in(visitor)
    clock.advance(minutes=14, seconds=59)
    assert is_in(visitor)
    clock.advance(seconds=2)  # looking at a page of the gate is no activity; a click in the app is
    assert not is_in(visitor)


def test_a_clock_set_back_neither_extends_nor_revives_a_session(visit: Callable[..., Visitor], clock: Any) -> None:
    visitor, other = visit(), visit()
    sign_in(visitor)
    clock.advance(minutes=16)
    assert not is_in(visitor)
    clock.advance(minutes=-10)
    assert not is_in(visitor)
    sign_in(other)
    clock.advance(seconds=-4)
    assert is_in(other)
    clock.advance(seconds=-2)
    assert not is_in(other)
    clock.advance(seconds=6)
    assert not is_in(other)


def test_a_closed_account_or_a_new_password_ends_sessions_at_the_next_request(
    visit: Callable[..., Visitor], context: ReviewContext, operator: SignedIn
) -> None:
    add_user(context, operator, name="bob", role="reviewer", password=PASSWORD)
    ada, bob = visit(), visit()
    sign_in(ada)
    sign_in(bob, "bob")
    change_role(context, operator, name="bob", role="lead")
    assert is_in(bob)
    deactivate_user(context, operator, name="ada")
    set_password(context, operator, name="bob", password=OTHER)
    assert not is_in(ada)
    assert not is_in(bob)


def test_wrong_unknown_and_locked_look_alike_to_the_byte(visit: Callable[..., Visitor]) -> None:
    answers = [sign_in(visit(), "nobody")] + [sign_in(visit(), "ada", "a wrong enough one") for _ in range(5)]
    answers += [sign_in(visit(), "ada")]  # locked by now
    assert {(answer.status_code, answer.text, tuple(answer.headers.items())) for answer in answers} == {
        (401, answers[0].text, tuple(answers[0].headers.items()))
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
        {"origin": ""},
    ],
)
def test_a_form_of_another_site_is_refused(visit: Callable[..., Visitor], headers: dict[str, str]) -> None:
    visitor = visit()
    assert sign_in(visitor, **headers).status_code == 403
    assert not visitor.cookies


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "x@127.0.0.1.evil", "[::1", "10.0.0.1"])
def test_a_request_for_another_host_name_is_refused(visit: Callable[..., Visitor], host: str) -> None:
    for path in ("/", "/sign-in", "/_stcore/host-config"):
        assert visit().get(path, headers={"host": host}).status_code == 400


def test_another_site_cannot_sign_anyone_out(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    sign_in(visitor)
    assert visitor.get("/auth/logout", headers={"sec-fetch-site": "cross-site"}).headers["location"] == "/"
    assert is_in(visitor)


def test_a_cookie_sent_twice_counts_for_nothing(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    sign_in(visitor)
    token = visitor.cookies["review_session"]
    planted = {"cookie": f"review_session={'x' * 43}; review_session={token}"}
    assert visit().get("/", headers=planted).status_code == 303


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"x" * 9_000, 413), (b"a=1&b=2&c=3&d=4&e=5&f=6&g=7", 400), (b"\xff\xfe", 400), (b"", 401),
     (b"user_name=ada", 401), (b"user_name=ada&user_name=bob&password=" + PASSWORD.encode(), 401)],
)  # fmt: skip
def test_odd_forms_open_nothing(visit: Callable[..., Visitor], body: bytes, status: int) -> None:
    headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    assert visit().post("/sign-in", content=body, headers=headers).status_code == status


def test_a_one_time_password_leads_to_choosing_ones_own_and_nowhere_else(
    visit: Callable[..., Visitor], context: ReviewContext, operator: SignedIn
) -> None:
    add_user(context, operator, name="eve", role="lead", password=PASSWORD, credential="one_time")
    visitor = visit()
    assert sign_in(visitor, "eve").headers["location"] == "/password"
    assert visitor.get("/").headers["location"] == "/password"
    assert visitor.get("/_stcore/host-config").status_code == 403
    with pytest.raises(WebSocketDisconnect), visitor.websocket_connect(f"{SOCKETS}/_stcore/stream"):
        pass

    def choose(**form: str) -> Any:
        return visitor.post("/password", data={"present": PASSWORD, **form}, headers={"origin": ORIGIN})

    for form, complaint in (
        ({"new": OTHER, "again": "something else entirely"}, "differ"),
        ({"new": PASSWORD, "again": PASSWORD}, "present one"),
        ({"new": "short", "again": "short"}, "12 to 256"),
        ({"new": "Password2026!", "again": "Password2026!"}, "common word"),
        ({"new": "eve was here today", "again": "eve was here today"}, "holds the user name"),
        ({"new": "abababababab", "again": "abababababab"}, "different characters"),
        ({"present": OTHER, "new": OTHER, "again": OTHER}, "not right"),
    ):
        answer = choose(**form)
        assert answer.status_code == 400
        assert complaint in answer.text
        assert form["new"] not in answer.text
    assert choose(new=OTHER, again=OTHER).headers["location"] == "/sign-in?changed"
    assert not is_in(visitor)
    assert sign_in(visitor, "eve", OTHER).headers["location"] == "/"
    assert is_in(visitor)
    with context.store.read() as session:
        everything = "".join(session.scalars(select(Event.payload)))
    assert OTHER not in everything


def test_a_one_time_password_opens_no_second_session(
    visit: Callable[..., Visitor], context: ReviewContext, operator: SignedIn
) -> None:
    add_user(context, operator, name="eve", role="lead", password=PASSWORD, credential="one_time")
    assert sign_in(visit(), "eve").headers["location"] == "/password"
    second = sign_in(visit(), "eve")
    assert (second.status_code, second.text) == (401, sign_in(visit(), "eve", OTHER).text)
    set_password(context, operator, name="eve", password=PASSWORD, is_one_time=True)
    assert sign_in(visit(), "eve").headers["location"] == "/password"


def test_every_answer_forbids_frames_foreign_scripts_and_guessing_types(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    answers = [visitor.get(path) for path in ("/_stcore/health", "/sign-in", "/", "/media/x", "/static/x.js")]
    answers += [visitor.get("/", headers={"host": "evil.example"})]
    for answer in answers:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["frame-ancestors"] == "'none'"
        assert policy["default-src"] == "'self'"
        assert "unsafe-inline" not in policy["script-src"]
        assert re.search(r"'sha256-[A-Za-z0-9+/]{43}='", policy["script-src"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
    assert visitor.get("/sign-in").headers["cache-control"] == "no-store"


def test_the_pages_before_the_app_hold_no_script_and_nothing_from_elsewhere(visit: Callable[..., Visitor]) -> None:
    page = visit().get("/sign-in?<script>alert(1)</script>").text
    assert "<script" not in page
    assert "http" not in page
    assert not re.search(r"\son\w+=", page)


def test_a_database_that_is_gone_shuts_the_gate_with_a_sentence_until_it_is_back(
    visit: Callable[..., Visitor], context: ReviewContext
) -> None:
    visitor = visit()
    sign_in(visitor)
    file = Path(str(context.store.engine.url.database))
    context.store.engine.dispose()
    away = file.rename(file.with_suffix(".away"))
    for path in ("/", "/_stcore/host-config"):
        answer = visitor.get(path)
        assert answer.status_code == 503
        assert "everything" not in answer.text
        assert "cannot be reached" in answer.text
    assert sign_in(visit()).status_code == 503
    with pytest.raises(WebSocketDisconnect), visitor.websocket_connect(f"{SOCKETS}/_stcore/stream"):
        pass
    away.rename(file)
    assert is_in(visitor)


def test_the_gate_and_the_pages_of_a_process_work_on_one_store(
    context: ReviewContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCREENING_REVIEW_DB", context.store.url)
    open_context.cache_clear()
    gate = runpy.run_path(str(APP))["_DOORKEEPER"]
    assert gate.context is load_context()
    open_context.cache_clear()
