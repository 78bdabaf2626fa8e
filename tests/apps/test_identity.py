import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import select

from apps.review.identity import passwords
from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.identity.sessions import Sessions
from apps.review.identity.stopwatch import Stopwatch
from apps.review.identity.timeouts import SessionPolicy
from apps.review.services.accounts import add_user, set_password, unlock_user
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError, NotSignedInError
from apps.review.services.leases import claim_next
from apps.review.services.own_account import sign_out
from apps.review.services.queue import count_queue
from apps.review.store.models import Event, User
from screening.exceptions import ConfigError

SignIn = Callable[..., SignedIn]
RIGHT, WRONG = "a long enough password", "a wrong enough password"


@pytest.fixture
def attempt(context: ReviewContext, operator: SignedIn, clock: Any) -> Callable[..., SignedIn | None]:
    add_user(context, operator, name="Ada", role="reviewer", password=RIGHT)
    provider = LocalAccounts(context.store)

    def _attempt(password: str, name: str = "ada") -> SignedIn | None:
        return provider.identify(SignInRequest(user_name=name, password=SecretStr(password)), clock())

    return _attempt


def test_the_right_password_signs_in_and_the_name_ignores_case(attempt: Callable[..., SignedIn | None]) -> None:
    signed_in = attempt(RIGHT, " ADA ")
    assert signed_in is not None
    assert (signed_in.user_name, signed_in.role) == ("ada", "reviewer")


@pytest.mark.parametrize(("password", "name"), [(WRONG, "ada"), (RIGHT, "bob"), ("", "ada"), (RIGHT, ""), ("", "")])
def test_a_wrong_password_and_an_unknown_name_are_refused_alike(
    attempt: Callable[..., SignedIn | None], password: str, name: str
) -> None:
    assert attempt(password, name) is None


def test_the_account_rests_after_five_failures_even_for_the_right_password(
    attempt: Callable[..., SignedIn | None], clock: Any
) -> None:
    for _ in range(5):
        assert attempt(WRONG) is None
    assert attempt(RIGHT) is None
    clock.advance(minutes=14, seconds=59)
    assert attempt(RIGHT) is None
    clock.advance(seconds=2)
    assert attempt(RIGHT) is not None


def test_a_success_starts_the_count_of_failures_anew(attempt: Callable[..., SignedIn | None]) -> None:
    for _ in range(3):
        assert [attempt(WRONG) for _ in range(4)] == [None] * 4
        assert attempt(RIGHT) is not None


def test_many_guesses_at_once_do_not_slip_past_the_lockout(
    attempt: Callable[..., SignedIn | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    check = passwords.is_password_right
    monkeypatch.setattr(
        "apps.review.identity.local.is_password_right",
        lambda password, stored: (stored is not None and checked.append(password), check(password, stored))[1],
    )
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(attempt, [f"guess number {i:04d}" for i in range(24)])) == {None}
    assert len(checked) <= 5


def test_refusals_are_events_and_an_unknown_name_is_not_written_down(
    context: ReviewContext, attempt: Callable[..., SignedIn | None]
) -> None:
    attempt(WRONG)
    attempt(WRONG, "my password typed into the wrong field")
    with context.store.read() as session:
        actors = session.scalars(select(Event.actor).where(Event.kind == "sign_in_failed")).all()
    assert actors == ["ada", "(unknown name)"]


def test_an_unknown_name_takes_as_long_as_a_wrong_password(
    context: ReviewContext, operator: SignedIn, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher())
    passwords._decoy_hash.cache_clear()
    add_user(context, operator, name="ada", role="reviewer", password=RIGHT)
    provider = LocalAccounts(context.store)

    def measure(name: str) -> float:
        started = time.perf_counter()
        provider.identify(SignInRequest(user_name=name, password=SecretStr(WRONG)), clock())
        return time.perf_counter() - started

    known = min(measure("ada") for _ in range(4))
    unknown = min(measure("nobody") for _ in range(4))
    # Without the decoy the ratio is below 0.2; the shortest of four runs keeps a busy machine out of the comparison.
    assert 0.5 < unknown / known < 2


def test_passwords_are_stored_as_argon2id_and_never_plain(
    context: ReviewContext, attempt: Callable[..., SignedIn | None]
) -> None:
    with context.store.read() as session:
        stored = session.get_one(User, "ada").password_hash
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert RIGHT not in stored


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"password": "short"}, "12 to 256 characters, found 5"),
        ({"password": "x" * 257}, "found 257"),
        ({"name": "ada"}, "exists"),
        ({"name": "<script>"}, "a user name needs"),
        ({"role": "root"}, "a role is one of"),
    ],
)
def test_unusable_accounts_are_refused(
    context: ReviewContext, operator: SignedIn, attempt: object, change: dict, complaint: str
) -> None:
    account = {"name": "eve", "role": "reviewer", "password": RIGHT, **change}
    with pytest.raises(ConfigError, match=complaint):
        add_user(context, operator, **account)


def test_only_an_admin_adds_accounts(context: ReviewContext, sign_in: SignIn) -> None:
    with pytest.raises(NotAllowedError):
        add_user(context, sign_in("lea", "lead"), name="eve", role="admin", password=RIGHT)
    add_user(context, sign_in("max", "admin"), name="eve", role="auditor", password=RIGHT)


def test_sessions_end_after_a_pause_and_after_a_working_day(sign_in: SignIn, clock: Any) -> None:
    policy, session = SessionPolicy(), sign_in()
    clock.advance(minutes=14)
    touched = policy.touch(session, clock())
    assert touched is not None
    assert policy.touch(session, clock.now.replace(minute=15)) is None  # 15 minutes after the first look
    while touched is not None:
        session = touched
        clock.advance(minutes=10)
        touched = policy.touch(session, clock())
    assert clock.now - session.signed_in_at >= policy.absolute_timeout
    assert clock.now - session.last_seen_at < policy.idle_timeout


def test_a_session_from_the_future_is_over(sign_in: SignIn, clock: Any) -> None:
    session = sign_in()
    clock.advance(seconds=-6)
    assert SessionPolicy().is_expired(session, clock())


def test_a_new_password_or_a_closed_account_ends_open_sessions(
    filled: ReviewContext, operator: SignedIn, sign_in: SignIn
) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    set_password(filled, operator, name="ada", password="another long password")
    with filled.store.write() as session:
        session.get_one(User, "bob").is_active = False
    for person in (ada, bob):
        with pytest.raises(NotSignedInError, match="closed or changed"):
            claim_next(filled, person)


def test_a_changed_role_counts_at_once(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    with filled.store.write() as session:
        session.get_one(User, "ada").role = "auditor"
    with pytest.raises(NotAllowedError, match="the role auditor"):
        claim_next(filled, ada)


def test_signing_out_gives_the_post_back(filled: ReviewContext, sign_in: SignIn) -> None:
    ada = sign_in()
    claim_next(filled, ada)
    assert count_queue(filled, ada).n_held == 1
    sign_out(filled, ada)
    assert count_queue(filled, ada).n_held == 0


def test_signing_out_leaves_the_post_on_the_desk_while_another_session_is_open(
    filled: ReviewContext, sign_in: SignIn, clock: Any
) -> None:
    sessions = Sessions(filled.store, filled.settings.session, clock)
    opened = [sessions.open(sign_in()) for _ in range(3)]
    forgotten, here, there = (found[0] for found in opened if found is not None)
    clock.advance(minutes=10)
    here, there = (touched for session in (here, there) if (touched := sessions.touch(session)) is not None)
    claim_next(filled, there)
    clock.advance(minutes=10)  # the forgotten one is over by now
    sign_out(filled, here)
    assert count_queue(filled, there).n_held == 1
    sign_out(filled, there)
    assert count_queue(filled, sign_in("bob")).n_held == 0
    assert forgotten.user_name == "ada"


@given(
    pauses=st.lists(st.sampled_from([0, 20, 60, 800, 899, 901, 1_200, 2_000]), min_size=1, max_size=40),
    steps=st.lists(st.sampled_from([0, 0, 0, -3, -10, -600, -1_150, -1_990]), min_size=40, max_size=40),
)
@example(pauses=[60, 1_200], steps=[0, -600] + [0] * 38)  # after activity was written down
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_way_to_set_the_clock_back_extends_a_session(
    context: ReviewContext, sign_in: SignIn, clock: Any, pauses: list[int], steps: list[int]
) -> None:
    """True time runs in ``pauses``; within each of them the wall clock is set back by a step."""
    true = {"seconds": 0}
    policy = context.settings.session
    sessions = Sessions(context.store, policy, clock, Stopwatch(lambda: true["seconds"]))
    clock.now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    opened = sessions.open(sign_in())
    assert opened is not None
    _, token = opened
    assert sessions.find(token, "local") is not None
    longest, total = 0, 0
    for pause, step in zip(pauses, steps, strict=False):
        true["seconds"] += pause
        clock.advance(seconds=pause + step)
        longest, total = max(longest, pause), total + pause
        found = sessions.find(token, "local")
        if found is None or sessions.touch(found) is None:
            return
        assert longest < policy.idle_timeout.total_seconds()
        assert total < policy.absolute_timeout.total_seconds()


def test_an_ordinary_day_of_work_is_not_cut_short(context: ReviewContext, sign_in: SignIn, clock: Any) -> None:
    true = {"seconds": 0.0}
    sessions = Sessions(context.store, context.settings.session, clock, Stopwatch(lambda: true["seconds"]))
    opened = sessions.open(sign_in())
    assert opened is not None
    n_minutes = 0
    while (found := sessions.find(opened[1], "local")) is not None and sessions.touch(found) is not None:
        n_minutes += 14
        true["seconds"] += 14 * 60
        clock.advance(minutes=14)
    assert n_minutes == 43 * 14  # the first look after ten hours


def test_a_password_gets_no_second_chance_by_another_spelling_of_the_name(
    context: ReviewContext, operator: SignedIn, attempt: Callable[..., SignedIn | None]
) -> None:
    for name in ("ada", "ADA", " Ada", "aDa ", "ADA"):
        assert attempt(WRONG, name) is None
    assert attempt(RIGHT) is None
    unlock_user(context, operator, name="Ada")
    assert attempt(RIGHT) is not None


def test_an_open_session_outlives_a_lockout_someone_else_caused(
    filled: ReviewContext, sign_in: SignIn, clock: Any
) -> None:
    ada = sign_in()
    provider = LocalAccounts(filled.store)
    for _ in range(5):
        assert provider.identify(SignInRequest(user_name="ada", password=SecretStr(WRONG)), clock()) is None
    assert claim_next(filled, ada) is not None


@pytest.mark.parametrize(
    "password", ["Password1234!", "123456789012", "ada-likes-walks", "aaaabbbbcccc", "Screening2026"]
)
def test_passwords_that_are_guessed_first_are_refused_and_not_repeated(
    context: ReviewContext, operator: SignedIn, password: str
) -> None:
    with pytest.raises(ConfigError, match="guessed early") as caught:
        add_user(context, operator, name="ada", role="reviewer", password=password)
    assert password not in str(caught.value)


def test_a_generated_password_may_be_used_and_repeats_never(context: ReviewContext, operator: SignedIn) -> None:
    made = {passwords.generate_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        passwords.validate_password(password, "reviewer")
