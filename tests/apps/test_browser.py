import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from apps.review.identity.records import SignedIn
from apps.review.server import build_command, build_environment
from apps.review.services.accounts import add_user
from apps.review.services.context import ReviewContext
from apps.review.services.importing import import_scores
from apps.review.services.verifying import verify_chain

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "a long enough password"
HOSTILE = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script> **not bold**"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs Debian's chromium at {CHROMIUM}"),
]


class Server:
    """The web server as a process that can be killed and started again on the same port."""

    def __init__(self, context: ReviewContext) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._environment = build_environment(str(context.store.engine.url), is_blind=True)

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


@pytest.fixture
def server(
    context: ReviewContext, operator: SignedIn, make_scores: Callable[..., pd.DataFrame], make_posts: Callable
) -> Iterator[Server]:
    posts = make_posts()
    posts.loc[posts["post_id"] == "p3", "text"] = HOSTILE
    import_scores(context, operator, make_scores(), posts)
    # Real hashes: the server is another process with argon2's full settings and rehashes on sign-in.
    add_user(context, operator, name="ada", role="reviewer", password=PASSWORD)
    server = Server(context)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def page(server: Server) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def sign_in(page: Any, server: Server) -> None:
    page.goto(server.address)
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Queue").wait_for()


def test_a_decision_made_with_one_key_outlives_a_killed_server(
    page: Any, server: Server, context: ReviewContext, operator: SignedIn
) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    sign_in(page, server)
    page.keyboard.press("o")
    page.get_by_role("button", name="Show the text").wait_for()
    assert "not bold" not in page.content()

    page.keyboard.press("s")
    page.get_by_text("**not bold**").wait_for()
    assert page.locator(".post-text img, .post-text script, .post-text strong").count() == 0

    note = page.get_by_label("Note (optional)")
    note.click()
    page.keyboard.type("seen before")  # holds the keys of two decisions, which must not fire while typing
    page.get_by_role("button", name="Needs follow-up").click()
    page.get_by_role("heading", name="What the model said").wait_for()
    assert page.title() != "broken in"

    server.kill()
    server.start()
    sign_in(page, server)
    page.get_by_role("link", name="History").click()
    page.get_by_text("Needs follow-up · seen before").wait_for()
    assert page.get_by_role("button", name="Undo").count() == 1
    assert verify_chain(context, operator).is_intact
    outside = [
        url
        for url in addresses
        if not url.startswith((server.address, f"ws://127.0.0.1:{server.port}", "data:", "blob:"))
    ]
    assert outside == []
