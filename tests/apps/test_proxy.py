import base64
import http.client
import os
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import select

from apps.review.identity.proxy import read_proxy_name
from apps.review.identity.records import SignedIn
from apps.review.identity.settings import ProxySettings
from apps.review.server import build_sign_in
from apps.review.services.accounts import add_user, deactivate_user
from apps.review.services.context import ReviewContext
from apps.review.store.models import Event
from screening.exceptions import ConfigError

HEADER = "X-Forwarded-User"
PROXY, ELSEWHERE = "127.0.0.2", "127.0.0.1"
SETTINGS = ProxySettings(header=HEADER, addresses=("10.1.0.0/16", "::1/128"))
WITH_SECRET = SETTINGS.model_copy(update={"secret": SecretStr("shared with the proxy")})
SECRET = (b"x-review-proxy-secret", b"shared with the proxy")
Headers = Sequence[tuple[str, str]]


def name(value: bytes) -> tuple[bytes, bytes]:
    return (b"x-forwarded-user", value)


@pytest.mark.parametrize("peer", ["10.1.2.3", "::1", "::ffff:10.1.2.3"])
def test_the_proxy_names_a_person(peer: str) -> None:
    assert read_proxy_name([(b"host", b"x"), name(b" Ada ")], peer, SETTINGS) == "ada"


@pytest.mark.parametrize("peer", ["10.2.0.1", "::2", "::ffff:10.2.0.1", "", None, "testclient", "10.1.2.3, 8.8.8.8"])
def test_from_elsewhere_the_header_counts_for_nothing(peer: str | None) -> None:
    assert read_proxy_name([name(b"ada")], peer, SETTINGS) is None


@pytest.mark.parametrize(
    "headers",
    [[], [name(b"")], [name(b"  ")], [name(b"ada"), name(b"bob")], [name(b"ada"), name(b"ada")], [name(b"ada, bob")],
     [name("ädä".encode())], [name(b"a" * 65)], [(b"X-FORWARDED-USER", b"ada"), name(b"bob")]],
)  # fmt: skip
def test_no_name_and_more_than_one_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    assert read_proxy_name(headers, "10.1.2.3", SETTINGS) is None


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [([SECRET], "ada"), ([], None), ([(SECRET[0], b"another")], None), ([SECRET, SECRET], None)],
)
def test_a_shared_secret_is_asked_for_once_and_exactly(
    secrets: list[tuple[bytes, bytes]], expected: str | None
) -> None:
    assert read_proxy_name([name(b"ada"), *secrets], "10.1.2.3", WITH_SECRET) == expected


@pytest.mark.parametrize("addresses", [(), ("0.0.0.0/0",), ("::/0",), ("proxy.example.org",)])
def test_everyones_address_is_no_proxys(addresses: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        ProxySettings(header=HEADER, addresses=addresses)


def test_a_proxy_header_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="name the proxy's own addresses"):
        build_sign_in(address="127.0.0.1", port=8501, proxy_header=HEADER)


@pytest.fixture
def ask(
    serve_app: Callable[..., str], filled: ReviewContext, operator: SignedIn
) -> Callable[..., tuple[int, str, str]]:
    """Ask a real server from one address or another; returns status, cookie and what it said."""
    add_user(filled, operator, name="ada", role="reviewer", provider="proxy")
    add_user(filled, operator, name="bob", role="reviewer", provider="proxy")
    add_user(filled, operator, name="eve", role="reviewer", password="a long enough password")
    address = serve_app(**build_sign_in(address="127.0.0.1", port=8501, proxy_header=HEADER, proxy_addresses=(PROXY,)))

    def _ask(path: str, headers: Headers, source: str = PROXY) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, source_address=(source, 0), timeout=30)
        connection.putrequest("GET", path)
        for key, value in headers:
            connection.putheader(key, value)
        connection.endheaders()
        answer = connection.getresponse()
        said = "" if answer.status == 101 else answer.read().decode()
        cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
        connection.close()
        return answer.status, cookie if cookie.startswith("review_session=") else "", said

    return _ask


def make_upgrade(origin: str = "http://127.0.0.1:8501") -> Headers:
    key = base64.b64encode(os.urandom(16)).decode()
    return [
        ("Origin", origin), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Protocol", "streamlit"),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_real_server_believes_the_proxy_and_nobody_else(
    ask: Callable[..., tuple[int, str, str]], filled: ReviewContext, operator: SignedIn
) -> None:
    ada, bob = (HEADER, "ada"), (HEADER, "bob")
    claims = [("X-Forwarded-For", PROXY), ("X-Real-IP", PROXY), ("Forwarded", f"for={PROXY}")]
    assert ask("/", [ada], ELSEWHERE)[0] == 403
    assert ask("/", [ada, *claims], ELSEWHERE)[0] == 403
    for headers in ([], [ada, bob], [(HEADER, "")], [(HEADER, "eve")], [(HEADER, "nobody")]):
        status, cookie, said = ask("/", headers)
        assert (status, cookie) == (403, "")
        assert "No access" in said

    status, cookie, _ = ask("/", [ada])
    assert status == 200
    with_cookie = ("Cookie", cookie)
    assert ask("/_stcore/host-config", [ada, with_cookie])[0] == 200
    assert ask("/_stcore/stream", [ada, with_cookie, *make_upgrade()])[0] == 101
    for origin in ("https://evil.example", "http://127.0.0.1:9999"):
        assert ask("/_stcore/stream", [ada, with_cookie, *make_upgrade(origin)])[0] == 403
    # The cookie alone, or someone else's, or one sent around the proxy opens nothing.
    assert ask("/_stcore/host-config", [with_cookie])[0] == 403
    assert ask("/_stcore/stream", [with_cookie, *make_upgrade()])[0] == 403
    assert ask("/_stcore/stream", [bob, with_cookie, *make_upgrade()])[0] == 403
    assert ask("/_stcore/stream", [ada, *make_upgrade()])[0] == 403
    assert ask("/_stcore/stream", [ada, with_cookie, *claims, *make_upgrade()], ELSEWHERE)[0] == 403

    deactivate_user(filled, operator, name="ada")
    assert ask("/", [ada, with_cookie])[0] == 403
    with filled.store.read() as session:
        failures = session.scalars(select(Event.payload).where(Event.kind == "sign_in_failed")).all()
    assert len(failures) == 3  # eve, nobody, and ada when she was gone
    assert not any(word in "".join(failures) for word in ("eve", "nobody", "ada"))
