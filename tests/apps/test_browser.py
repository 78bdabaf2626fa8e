"""A review day in headless Chromium, against the real server process."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select

from apps.review.identity.records import command_line_operator
from apps.review.server import build_command, build_environment
from apps.review.services.accounts import add_user
from apps.review.services.context import ReviewContext
from apps.review.services.importing import import_scores
from apps.review.services.verifying import verify_chain
from apps.review.store.database import open_store
from apps.review.store.models import Event
from tests.apps.conftest import CHROMIUM, CHROMIUM_FLAGS
from tests.apps.opened_app import PASSWORD

N_POSTS = 12
PEOPLE = {"ada": "reviewer", "bob": "reviewer", "cyd": "reviewer", "lee": "lead", "eve": "auditor", "max": "admin"}
SETTINGS = "second_read_fraction: 1.0\n"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs Debian's chromium at {CHROMIUM}"),
]


class Server:
    """The web server as a process that can be killed and started again on the same port."""

    def __init__(self, context: ReviewContext, settings: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.context = context
        self.address = f"http://127.0.0.1:{self.port}"
        variables = {"SCREENING_REVIEW_SETTINGS": str(settings)}
        self._environment = build_environment(context.store.url, is_blind=True, sign_in=variables)

    def start(self) -> None:
        self._process = subprocess.Popen(
            build_command(port=self.port), env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5).close()  # noqa: S310  # our own http address
            except OSError:
                time.sleep(0.5)
            else:
                return
        pytest.fail("the web server did not answer within a minute")

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=30)


def _fill(folder: Path) -> ReviewContext:
    """Twelve flagged posts, the last the most urgent, and one account per person."""
    context = ReviewContext(open_store(str(folder / "review.db")))
    operator = command_line_operator(datetime.now(UTC))
    ids = [f"p{i:02d}" for i in range(N_POSTS)]
    scores = pd.DataFrame({"post_id": ids, "triage": "refer", "model_version": "0123456789ab"})
    scores["risk_urgent"] = scores["prob_urgent"] = [0.5 + i / 100 for i in range(N_POSTS)]
    import_scores(
        context, operator, scores, pd.DataFrame({"post_id": ids, "text": [_write(i) for i in range(N_POSTS)]})
    )
    for name, role in PEOPLE.items():
        add_user(context, operator, name=name, role=role, password=PASSWORD)
    return context


def _write(i: int) -> str:
    sights = ["a grey heron", "two ferries", "the old pier", "wet sand", "a kite", "rain far out", "a lighthouse"]
    seen = [sights[place % 7] for place in (i, 3 * i + 1, 5 * i + 2)]
    return f"Walk number {i}: {seen[0]}, then {seen[1]} and {seen[2]} at {i} o'clock."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("browser")
    (folder / "house.yaml").write_text(SETTINGS, encoding="utf-8")
    server = Server(_fill(folder), folder / "house.yaml")
    server.start()
    yield server
    server.kill()
    server.context.store.engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Open the app in a window of its own, signed in as this person."""
    windows = []

    def _visit(name: str, address: str = server.address, heading: str = "Queue", **options: Any) -> Any:
        windows.append(browser.new_context(**options))
        page = windows[-1].new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name=heading).wait_for()
        return page

    yield _visit
    for window in windows:
        window.close()


def _read_events(server: Server, kind: str, post_id: str | None = None) -> list[tuple[str, str | None]]:
    query = select(Event.actor, Event.decision).where(Event.kind == kind).order_by(Event.seq)
    if post_id is not None:
        query = query.where(Event.post_id == post_id)
    with server.context.store.read() as session:
        return [(actor, decision) for actor, decision in session.execute(query)]


def _settle(page: Any) -> None:
    """Wait until the page is drawn: a button that still moves between pressing and releasing is not clicked."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def _press(page: Any, label: str) -> None:
    """Press the key that stands on a button, once it is active and nothing of the page before is left."""
    from playwright.sync_api import expect

    _settle(page)
    button = page.get_by_role("button", name=label, disabled=False)
    expect(button).to_have_count(1, timeout=60_000)
    page.keyboard.press(button.inner_text().split()[-1].lower())


def _open_text(page: Any, post_id: str) -> None:
    """Open the post on the desk with one key, as its reader does."""
    page.locator(".facts", has_text=post_id).wait_for()
    _press(page, "Show the text")
    page.locator(".post-box .post-text", has_text=f"Walk number {int(post_id[1:])}:").wait_for()
    _settle(page)


def _open_from_queue(page: Any, post_id: str) -> None:
    search = page.get_by_label("Search posts by id")
    search.fill(post_id)
    search.press("Enter")
    page.get_by_text("1 found.").wait_for()
    page.locator(".st-key-rows_search").get_by_role("button", name="Open").click()
    _open_text(page, post_id)


def test_a_review_day_from_the_first_key_to_the_export(visit: Callable[..., Any], server: Server) -> None:
    ada, addresses = visit("ada"), []
    ada.on("request", lambda request: addresses.append(request.url))
    _press(ada, "Open the next post")
    ada.get_by_role("button", name="Show the text").wait_for()
    assert "Walk number" not in ada.content()  # blurred words are a stand-in; the post has not left the server
    _open_text(ada, "p11")
    assert ada.get_by_role("heading", name="What the model said").count() == 0
    ada.get_by_label("Note (optional)").click()
    ada.keyboard.type("seen before, nothing new")  # holds the keys of four decisions, which must not fire while typing
    ada.get_by_role("button", name="Needs follow-up").click()
    ada.get_by_role("heading", name="What the model said").wait_for()
    _press(ada, "Judge again")  # after the reveal: judge again
    ada.get_by_role("heading", name="Judge again").wait_for()
    _press(ada, "Escalate")
    ada.get_by_text("Your first judgement is kept beside it.").wait_for()
    ada.locator(".facts", has_text="p10").wait_for()  # the next post has opened by itself
    _open_text(ada, "p10")
    _press(ada, "No concern")
    ada.get_by_role("button", name="Keep, next post").wait_for()
    _press(ada, "Undo")  # and taken back with one key
    ada.get_by_text("The post is on your desk again.").wait_for()
    assert _read_events(server, "decision") == [("ada", "needs_follow_up"), ("ada", "no_concern")]
    assert _read_events(server, "revision") == [("ada", "escalate")]
    assert _read_events(server, "undo", "p10") == [("ada", None)]

    bob = visit("bob")  # the second reader, who cannot tell
    _press(bob, "Open the next post")
    _open_text(bob, "p11")
    assert "seen before" not in bob.content()
    _press(bob, "No concern")
    bob.get_by_role("button", name="Keep, next post").wait_for()

    lee = visit("lee")
    lee.get_by_role("link", name="1 wait to be settled").click()
    lee.get_by_role("button", name="Settle").click()
    _open_text(lee, "p11")
    assert lee.locator(".read").all_inner_texts()[0].startswith("Escalate by ada")  # the revised one counts
    lee.get_by_role("button", name="Escalate").click()
    lee.get_by_text("Saved: Escalate.").wait_for()
    lee.goto(f"{server.address}/export")
    lee.get_by_role("button", name="Make the file").click()
    with lee.expect_download() as download:
        lee.get_by_role("button", name="Download").click()
    table = pd.read_csv(download.value.path())
    assert "text" not in table.columns
    (row,) = table[table["post_id"] == "p11"].to_dict("records")
    read = row["first_decision"], row["second_decision"], row["decision"]
    assert read == ("escalate", "no_concern", "escalate")
    assert len(_read_events(server, "exported")) == 1
    assert verify_chain(server.context, command_line_operator(datetime.now(UTC))).is_intact
    ours = (server.address, f"ws://127.0.0.1:{server.port}", "data:", "blob:")
    assert [url for url in addresses if not url.startswith(ours)] == []


def test_a_double_click_on_a_decision_is_one_event_on_one_post(visit: Callable[..., Any], server: Server) -> None:
    page = visit("cyd")
    _open_from_queue(page, "p09")
    page.get_by_role("button", name="Unsure").dblclick()
    page.get_by_role("button", name="Keep, next post").wait_for()
    page.wait_for_timeout(1_000)
    assert page.get_by_role("button", name="Keep, next post").is_visible()
    assert [decision for decision in _read_events(server, "decision") if decision[0] == "cyd"] == [("cyd", "unsure")]
    _press(page, "Keep, next post")
    _press(page, "Put back")
    page.get_by_role("button", name="Open the next post").wait_for()


def test_a_reload_in_mid_form_keeps_the_session_and_the_post(visit: Callable[..., Any], server: Server) -> None:
    page = visit("cyd")
    _open_from_queue(page, "p08")
    page.get_by_label("Note (optional)").fill("half a thought")
    page.reload()
    page.locator(".facts", has_text="p08").wait_for()
    assert "Walk number" not in page.content()
    assert _read_events(server, "decision", "p08") == []
    _press(page, "Put back")
    page.get_by_role("button", name="Open the next post").wait_for()


def test_wrong_roles_meet_no_posts_and_no_pages_of_others(visit: Callable[..., Any], server: Server) -> None:
    for name, heading, closed in (
        ("eve", "History", "queue"),
        ("max", "People", "dashboard"),
        ("ada", "Queue", "export"),
    ):
        page = visit(name, heading=heading)
        assert page.get_by_role("link", name=closed.title(), exact=True).count() == 0
        page.goto(f"{server.address}/{closed}")
        page.get_by_role("heading", name=heading).wait_for()  # there is no such page for them
        assert "Walk number" not in page.content()


def test_sliding_a_threshold_draws_the_numbers_loaded_with_the_page(visit: Callable[..., Any], server: Server) -> None:
    page = visit("lee")
    page.get_by_role("link", name="Thresholds").click()
    page.get_by_text("Alerts among 12 scored").wait_for()
    scores = pd.DataFrame({"post_id": ["left out"], "triage": "no_flag", "risk_urgent": 0.1, "model_version": "m"})
    operator = command_line_operator(datetime.now(UTC))
    import_scores(server.context, operator, scores, pd.DataFrame({"post_id": [], "text": []}))
    page.get_by_role("slider").press("ArrowRight")
    page.get_by_text("0.505").first.wait_for()
    _settle(page)
    assert page.get_by_text("Alerts among 12 scored").is_visible()
    page.reload()
    page.get_by_text("Alerts among 13 scored").wait_for()


def test_on_a_phone_nothing_is_wider_than_the_screen(visit: Callable[..., Any], server: Server) -> None:
    page = visit("lee", viewport={"width": 360, "height": 740}, color_scheme="dark")
    headings = {
        "queue": "Queue", "post": "Post", "history": "History", "escalated": "Escalated",
        "adjudication": "Settle disagreements", "dashboard": "Dashboard", "audit": "Audit of unflagged posts",
        "thresholds": "Thresholds", "export": "Export",
    }  # fmt: skip
    for name, heading in headings.items():
        page.goto(f"{server.address}/{'' if name == 'queue' else name}")
        page.get_by_role("heading", name=heading).wait_for()
        page.wait_for_timeout(700)
        assert page.evaluate(_WIDER) == [], name


def test_the_focus_can_be_seen_and_every_key_stands_on_its_button(visit: Callable[..., Any]) -> None:
    page = visit("lee")
    _open_from_queue(page, "p07")
    for label, key in (
        ("Escalate", "E"),
        ("Needs follow-up", "F"),
        ("No concern", "N"),
        ("Unsure", "U"),
        ("Put back", "P"),
    ):
        assert page.get_by_role("button", name=label).inner_text().split() == [*label.split(), key]
    page.get_by_role("button", name="Hide the text").focus()
    page.keyboard.press("Tab")  # the text itself can be reached, to scroll it
    assert page.evaluate("document.activeElement.className").startswith("post-box")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    _press(page, "Put back")
    page.get_by_role("button", name="Open the next post").wait_for()


def test_a_screen_nobody_touches_is_cleared_when_the_session_is_over(
    browser: Any, visit: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "house.yaml").write_text("session: {idle_timeout: PT25S}\n", encoding="utf-8")
    quick = Server(_fill(tmp_path), tmp_path / "house.yaml")
    quick.start()
    try:
        page = visit("ada", address=quick.address)
        _press(page, "Open the next post")
        _open_text(page, "p11")
        page.get_by_label("User name").wait_for()  # the sign-in form, though nobody touched anything
        assert "Walk number" not in page.content()
        assert _read_events(quick, "decision") == []
    finally:
        quick.kill()


def test_a_decision_outlives_a_killed_server(visit: Callable[..., Any], server: Server) -> None:
    page = visit("bob")
    _open_from_queue(page, "p06")
    _press(page, "Needs follow-up")
    page.get_by_role("heading", name="What the model said").wait_for()
    server.kill()
    server.start()
    page.goto(f"{server.address}/history")
    page.get_by_text("p06").wait_for()
    page.get_by_text("Needs follow-up").first.wait_for()
    assert _read_events(server, "decision", "p06") == [("bob", "needs_follow_up")]
    assert verify_chain(server.context, command_line_operator(datetime.now(UTC))).is_intact


_WIDER = """() => [...document.querySelectorAll('[data-testid="stMain"], html')]
    .filter(node => node.scrollWidth > node.clientWidth).map(node => [node.scrollWidth, node.clientWidth])"""
