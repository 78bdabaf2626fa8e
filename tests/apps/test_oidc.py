import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from apps.review.identity.oidc import OidcAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.identity.settings import OidcSettings, read_sign_in_settings
from apps.review.services.accounts import add_user, deactivate_user
from apps.review.services.context import ReviewContext
from apps.review.store.models import Event, User
from screening.exceptions import ConfigError

CHROMIUM = Path("/usr/bin/chromium")
CLIENT_ID, CLIENT_SECRET = "review-app", "a secret of the client"
ADDRESS = "ada@example.org"
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SETTINGS = OidcSettings(
    client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET), metadata_url="https://id.example.org/.well-known"
)
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Debian's chromium at {CHROMIUM}")


def make_claims(**changes: object) -> dict[str, object]:
    now = NOW.timestamp()
    return {
        "iss": "https://id.example.org", "aud": CLIENT_ID, "sub": "person-1", "email": ADDRESS, "email_verified": True,
        "iat": now, "exp": now + 300, **changes,
    }  # fmt: skip


@pytest.fixture
def identify(context: ReviewContext, operator: SignedIn) -> Callable[..., SignedIn | None]:
    add_user(context, operator, name=ADDRESS, role="reviewer", provider="oidc")
    accounts = OidcAccounts(context.store, SETTINGS)
    return lambda claims: accounts.identify(SignInRequest(claims=claims), NOW)


def read_failures(context: ReviewContext) -> list[dict[str, str]]:
    with context.store.read() as session:
        events = session.execute(select(Event.actor, Event.payload).where(Event.kind == "sign_in_failed")).all()
    return [{"actor": actor, **json.loads(payload)} for actor, payload in events]


def test_a_registered_address_signs_in_with_the_role_of_the_account(identify: Callable[..., SignedIn | None]) -> None:
    signed_in = identify(make_claims(email="ADA@Example.org"))
    assert signed_in is not None
    assert (signed_in.user_name, signed_in.role, signed_in.provider) == (ADDRESS, "reviewer", "oidc")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "another"}, "made for another client"),
        ({"aud": ["x", "y"]}, "made for another client"),
        ({"aud": None}, "made for another client"),
        ({"sub": ""}, "names nobody"),
        ({"iss": None}, "names nobody"),
        ({"exp": NOW.timestamp() - 121}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": 1e300}, "expired"),
        ({"iat": True}, "expired"),
        ({"iat": NOW.timestamp() - 301}, "not fresh"),
        ({"iat": NOW.timestamp() + 121}, "not fresh"),
        ({"email_verified": False}, "not registered"),
        ({"email_verified": "true"}, "not registered"),
        ({"email": "eve@example.org"}, "not registered"),
        ({"email": None}, "not registered"),
        ({"email": ""}, "not registered"),
    ],
)
def test_other_claims_get_nothing_and_the_event_says_why_but_not_who(
    identify: Callable[..., SignedIn | None], context: ReviewContext, changes: Mapping[str, object], reason: str
) -> None:
    assert identify(make_claims(**changes)) is None
    assert read_failures(context) == [{"actor": "(unknown name)", "provider": "oidc", "reason": reason}]


def test_an_address_that_passed_to_another_person_opens_nothing(identify: Callable[..., SignedIn | None]) -> None:
    assert identify(make_claims()) is not None
    assert identify(make_claims(sub="person-2")) is None
    assert identify(make_claims(iss="https://elsewhere.example")) is None
    renamed = identify(make_claims(email="ada.new@example.org", email_verified=False, nonce="another sign-in"))
    assert renamed is not None
    assert renamed.user_name == ADDRESS


def test_a_token_signs_in_once_however_its_cookie_is_written(
    identify: Callable[..., SignedIn | None], context: ReviewContext
) -> None:
    assert identify(make_claims(nonce="n1")) is not None
    assert identify(make_claims(nonce="n1")) is None
    assert identify(make_claims(nonce="n2")) is not None
    assert [failure["reason"] for failure in read_failures(context)] == ["used before"]


def test_a_letter_that_only_looks_like_one_of_the_address_is_another_address(
    context: ReviewContext, operator: SignedIn, identify: Callable[..., SignedIn | None]
) -> None:
    add_user(context, operator, name="kim@example.org", role="lead", provider="oidc")
    assert identify(make_claims(email="\N{KELVIN SIGN}im@example.org", sub="person-2")) is None
    assert identify(make_claims(email="Kim@example.org", sub="person-2")) is not None


def test_an_account_can_be_registered_by_subject(
    identify: Callable[..., SignedIn | None], context: ReviewContext, operator: SignedIn
) -> None:
    add_user(context, operator, name="bob", role="lead", provider="oidc", subject="person-9")
    signed_in = identify(make_claims(sub="person-9", email=None, email_verified=None))
    assert signed_in is not None
    assert signed_in.user_name == "bob"


def test_a_local_or_closed_account_is_not_opened_by_a_token(
    identify: Callable[..., SignedIn | None], context: ReviewContext, operator: SignedIn
) -> None:
    add_user(context, operator, name="eve@example.org", role="admin", password="a long enough password")
    assert identify(make_claims(sub="person-3", email="eve@example.org")) is None
    deactivate_user(context, operator, name=ADDRESS)
    assert identify(make_claims()) is None


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"OIDC_METADATA_URL": "http://id.example.org/x"}, "must start with https"),
        ({"OIDC_CLIENT_ID": None}, "OIDC_CLIENT_ID: Field required"),
        ({"PUBLIC_URL": "http://review.example.org"}, "https"),
        ({"SIGN_IN": "magic"}, "local"),
        ({"OIDC_SCOPE": "x"}, "OIDC_SCOPE: Extra inputs"),
        ({"OIDC_COOKIE_SECRET": "short one"}, "32 characters or more, found 9"),
    ],
)
def test_an_unsafe_or_incomplete_setup_is_refused_without_showing_the_secret(
    variables: dict[str, str | None], complaint: str
) -> None:
    given = {
        "SIGN_IN": "oidc", "PUBLIC_URL": "https://review.example.org", "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET, "OIDC_METADATA_URL": "https://id.example.org/x", **variables,
    }  # fmt: skip
    environment = {f"SCREENING_REVIEW_{name}": value for name, value in given.items() if value is not None}
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_sign_in_settings(environment)
    assert CLIENT_SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.fixture
def provider() -> Iterator[str]:
    script = Path(__file__).parent / "oidc_provider.py"
    with subprocess.Popen(
        [sys.executable, str(script), CLIENT_ID, CLIENT_SECRET], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


@pytest.fixture
def address(
    provider: str, serve_app: Callable[..., str], filled: ReviewContext, operator: SignedIn, free_port: int
) -> str:
    add_user(filled, operator, name=ADDRESS, role="reviewer", provider="oidc")
    variables = {
        "SIGN_IN": "oidc", "PUBLIC_URL": f"http://127.0.0.1:{free_port}", "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET, "OIDC_METADATA_URL": f"{provider}/.well-known/openid-configuration",
    }  # fmt: skip
    return serve_app(free_port, **{f"SCREENING_REVIEW_{name}": value for name, value in variables.items()})


def sign_in(page: Any, address: str, *, email: str = ADDRESS, person: str = "", fault: str = "none") -> None:
    page.goto(address)
    page.get_by_role("button", name="Sign in with your organisation").click()
    page.get_by_role("heading", name="Provider").wait_for()
    page.get_by_label("Address").fill(email)
    page.get_by_label("Person").fill(person)
    page.get_by_label("Fault").fill(fault)
    page.get_by_role("button", name="Let me in").click()


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
def test_a_whole_sign_in_at_a_real_provider_survives_a_reload_and_ends_with_the_sign_out(
    address: str, new_page: Callable[..., Any], filled: ReviewContext, operator: SignedIn
) -> None:
    page = new_page()
    sign_in(page, address)
    page.get_by_role("heading", name="Queue").wait_for()
    page.reload()
    page.get_by_role("heading", name="Queue").wait_for()
    cookies = page.context.cookies()
    assert {cookie["httpOnly"] for cookie in cookies if cookie["name"].startswith("_streamlit_user")} == {True}

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with your organisation").wait_for()
    assert not [one for one in page.context.cookies() if one["name"].startswith("_streamlit_user")]
    page.context.add_cookies(cookies)  # kept by someone: they live for 30 days
    page.goto(address)
    page.get_by_role("button", name="Sign in with your organisation").wait_for()
    assert page.get_by_text("Queue").count() == 0

    sign_in(page, address)
    page.get_by_role("heading", name="Queue").wait_for()
    deactivate_user(filled, operator, name=ADDRESS)
    page.get_by_role("button", name="Open the next post").click()
    page.get_by_role("button", name="Sign in with your organisation").wait_for()
    with filled.store.read() as session:
        assert session.get_one(User, ADDRESS).subject is not None


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
def test_what_a_broken_or_hostile_provider_sends_opens_nothing(
    address: str, new_page: Callable[..., Any], filled: ReviewContext
) -> None:
    for fault in ("audience", "issuer", "expired", "nonce", "key", "stale", "unverified"):
        page = new_page()
        sign_in(page, address, fault=fault)
        page.get_by_role("button", name="Sign in with your organisation").wait_for()
        assert page.get_by_text("Waiting").count() == 0, fault
    page = new_page()
    sign_in(page, address, email="eve@example.org")
    page.get_by_text("This sign-in does not open the app").wait_for()
    reasons = [failure["reason"] for failure in read_failures(filled)]
    # Wrong audience, issuer, time, nonce and key stop at the framework; what it lets through stops here.
    assert reasons == ["not fresh", "not registered", "not registered"]
    with filled.store.read() as session:
        assert session.scalar(select(Event.seq).where(Event.kind == "sign_in")) is None
        assert "eve" not in "".join(session.scalars(select(Event.payload)))
