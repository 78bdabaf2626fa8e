"""A small review store with harmless, self-written posts, and a clock the tests can turn."""

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from apps.review.identity import passwords
from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import SignedIn, SignInRequest, command_line_operator
from apps.review.server import build_command, build_environment, open_context
from apps.review.services.accounts import add_user
from apps.review.services.context import ReviewContext, ReviewSettings
from apps.review.services.importing import import_scores
from apps.review.store.database import open_store
from tests.apps.opened_app import open_app_as
from tests.apps.postgresql_cluster import PostgresqlCluster

PASSWORD = "a long enough password"
MODEL_VERSION = "0123456789ab"


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def _make_posts(n_posts: int = 4) -> pd.DataFrame:
    ids = [f"p{i}" for i in range(n_posts)]
    return pd.DataFrame({"post_id": ids, "text": [f"A quiet walk, number {i}." for i in range(n_posts)]})


def _make_scores(n_posts: int = 4) -> pd.DataFrame:
    """p0 is unflagged, p1 to review, p2 and p3 to refer; p3 is the most urgent."""
    triage = ["no_flag", "review", "refer", "refer"]
    rows = [
        {
            "post_id": f"p{i}",
            "prob_calm": 1 - i / n_posts,
            "prob_urgent": i / n_posts,
            "risk_urgent": i / n_posts,
            "triage": triage[min(i, 3)],
            "n_tokens": 8,
            "n_windows": 1,
            "is_truncated": False,
            "model_version": MODEL_VERSION,
        }
        for i in range(n_posts)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Argon2 is slow on purpose; its cheapest setting keeps the tests quick."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._decoy_hash.cache_clear()
    yield
    passwords._decoy_hash.cache_clear()


@pytest.fixture
def make_posts() -> Callable[..., pd.DataFrame]:
    return _make_posts


@pytest.fixture
def make_scores() -> Callable[..., pd.DataFrame]:
    return _make_scores


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    open_store(str(path)).engine.dispose()
    return path


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a module's tests on every database it names in ``BACKENDS``; on SQLite alone where it names none."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", getattr(metafunc.module, "BACKENDS", ("sqlite",)), indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlCluster]:
    cluster = PostgresqlCluster()
    cluster.start()
    yield cluster
    cluster.remove()


@pytest.fixture
def database(backend: str, tmp_path: Path, empty_database: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    if backend == "postgresql":
        cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
        url = cluster.create_database()
        yield url
        cluster.drop_database(url)
    else:
        yield str(shutil.copy(empty_database, tmp_path / "review.db"))


@pytest.fixture
def context(clock: Clock, database: str) -> Iterator[ReviewContext]:
    store = open_store(database)
    yield ReviewContext(store, ReviewSettings(), clock)
    store.engine.dispose()


@pytest.fixture
def operator(clock: Clock) -> SignedIn:
    return command_line_operator(clock())


@pytest.fixture
def sign_in(context: ReviewContext, operator: SignedIn, clock: Clock) -> Callable[..., SignedIn]:
    """Create an account where needed and sign it in."""

    def _sign_in(name: str = "ada", role: str = "reviewer") -> SignedIn:
        provider = LocalAccounts(context.store)
        request = SignInRequest(user_name=name, password=SecretStr(PASSWORD))
        signed_in = provider.identify(request, clock())
        if signed_in is None:
            add_user(context, operator, name=name, role=role, password=PASSWORD)
            signed_in = provider.identify(request, clock())
        assert signed_in is not None
        return signed_in

    return _sign_in


@pytest.fixture
def filled(context: ReviewContext, operator: SignedIn) -> ReviewContext:
    import_scores(context, operator, _make_scores(), _make_posts())
    return context


@pytest.fixture
def open_app(
    context: ReviewContext, operator: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., AppTest]]:
    """Open the app on three waiting posts, as someone or as nobody."""
    monkeypatch.setenv("SCREENING_REVIEW_DB", context.store.url)
    import_scores(context, operator, _make_scores(), _make_posts())
    yield lambda name="reviewer": open_app_as(context, name)
    open_context.cache_clear()


CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serve_app(context: ReviewContext, tmp_path: Path, free_port: int) -> Iterator[Callable[..., str]]:
    """Start the web server on the store of this test, as a process of its own; returns its address."""
    started: list[subprocess.Popen[bytes]] = []

    def _serve(port: int = free_port, **variables: str) -> str:
        log = (tmp_path / "server.log").open("ab")
        environment = build_environment(context.store.url, is_blind=True, sign_in=variables)
        started.append(subprocess.Popen(build_command(port=port), env=environment, stdout=log, stderr=log))
        log.close()
        address = f"http://127.0.0.1:{port}"
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()  # noqa: S310  # our own http address
            except OSError:
                time.sleep(0.5)
            else:
                return address
        pytest.fail("the web server did not answer within a minute")

    yield _serve
    for process in started:
        process.kill()
        process.wait(timeout=30)


@pytest.fixture
def new_page() -> Iterator[Callable[..., Any]]:
    """Open pages of a headless browser, each with cookies of its own."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)

        def _new_page(**options: Any) -> Any:
            page = browser.new_context(**options).new_page()
            page.set_default_timeout(60_000)
            return page

        yield _new_page
        browser.close()
