"""Local accounts in a real browser, against the real server process."""

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from apps.review.identity.records import SignedIn
from apps.review.services.accounts import add_user
from apps.review.services.context import ReviewContext

PASSWORD, OTHER = "a long enough password", "quite another sentence"
VIEWS = sorted(path.stem for path in (Path(__file__).parents[2] / "apps" / "review" / "views").glob("[a-z]*.py"))
CHROMIUM = Path("/usr/bin/chromium")
WORDS_OF_THE_STORE = ("p1", "p2", "p3", "quiet walk", "ada")

RAW = [
    "/_stcore/health", "/_stcore/host-config", "/_stcore/metrics", "/_stcore/script-health-check", "/_stcore/stream",
    "/_stcore/upload_file/a/b", "/_stcore/agent/openapi.json", "/component/a/b", "/app/static/x", "/media/p3.csv",
    "//media/p3.csv", "/./media/x", "/static/../media/x", "/static/%2e%2e/media/x",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Debian's chromium at {CHROMIUM}"),
]


@pytest.fixture
def house(filled: ReviewContext, operator: SignedIn) -> ReviewContext:
    add_user(filled, operator, name="ada", role="reviewer", password=PASSWORD)
    return filled


@pytest.fixture
def address(serve_app: Callable[..., str], house: ReviewContext) -> str:
    return serve_app()


def sign_in(page: Any, address: str, name: str = "ada", password: str = PASSWORD) -> None:
    page.goto(address)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_visitor_gets_the_sign_in_page_and_no_word_of_the_store(address: str, new_page: Callable[..., Any]) -> None:
    page = new_page()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    for path in ("", *VIEWS, "p3", "sign-in/", "_stcore/stream"):
        page.goto(f"{address}/{path}")
        page.get_by_text("Sign in").first.wait_for()
        assert not any(word in page.content().replace(PASSWORD, "") for word in WORDS_OF_THE_STORE), path
    assert sockets == []
    for path in RAW:
        status, body = ask(address, path)
        assert status in {200, 303, 400, 401, 404}, path
        assert body in {b"ok", b"", b"Sign in first.", b"Bad Request", b"Not Found"} or b"Streamlit" in body, path
        assert not any(word.encode() in body for word in WORDS_OF_THE_STORE), path


def ask(address: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_a_sign_in_lasts_over_reloads_and_windows_until_the_sign_out_and_no_script_reads_it(
    address: str, new_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    sign_in(page, address)
    page.get_by_role("heading", name="Queue").wait_for()
    page.reload()
    page.get_by_role("heading", name="Queue").wait_for()
    page.goto(f"{address}/history")
    page.get_by_role("heading", name="History").wait_for()
    assert "review_session" not in page.evaluate("document.cookie")
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "review_session"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)

    second = page.context.new_page()
    second.goto(address)
    second.get_by_role("heading", name="Queue").wait_for()
    second.get_by_role("button", name="Sign out").click()
    second.get_by_text("You are signed out").wait_for()
    page.get_by_role("link", name="Queue").click()
    page.get_by_text("You are signed out").wait_for()
    page.context.add_cookies([cookie])
    page.goto(address)
    page.get_by_label("User name").wait_for()

    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    for secret in (PASSWORD, cookie["value"]):
        assert secret not in log
        assert not any(secret.encode() in command for command in commands)
    assert problems == []


@pytest.mark.usefixtures("house")
def test_a_pause_clears_the_screen_and_asks_for_the_password_again(
    serve_app: Callable[..., str], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("session: {idle_timeout: PT20S}\n", encoding="utf-8")
    address = serve_app(SCREENING_REVIEW_SETTINGS=str(rules))
    page = new_page()
    sign_in(page, address)
    page.get_by_role("heading", name="Queue").wait_for()
    page.get_by_text("your session ended").wait_for(timeout=90_000)  # nobody touches anything: the page itself sees it
    assert page.url.endswith("/sign-in?left")
    page.go_back()
    page.get_by_label("User name").wait_for()
    assert page.get_by_role("heading", name="Queue").count() == 0


def test_a_one_time_password_is_changed_at_the_first_sign_in(
    address: str, new_page: Callable[..., Any], filled: ReviewContext, operator: SignedIn
) -> None:
    add_user(filled, operator, name="eve", role="reviewer", password=PASSWORD, credential="one_time")
    page = new_page()
    sign_in(page, address, "eve")
    page.get_by_role("heading", name="New password").wait_for()
    page.goto(f"{address}/history")
    page.get_by_role("heading", name="New password").wait_for()
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(OTHER)
    page.get_by_label("New password, again").fill(OTHER)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_text("Your new password is set").wait_for()
    sign_in(page, address, "eve", OTHER)
    page.get_by_role("heading", name="Queue").wait_for()
