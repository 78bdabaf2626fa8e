"""Every public service refuses whoever may not use it, and changes nothing then."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData, select

import apps.review.services
from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import ROLES, SignedIn, SignInRequest
from apps.review.identity.sessions import Sessions
from apps.review.services.access import OPERATOR_PERMISSIONS, PERMISSIONS
from apps.review.services.accounts import (
    add_user,
    change_role,
    deactivate_user,
    list_accounts,
    reactivate_user,
    set_password,
    unlock_user,
)
from apps.review.services.context import ReviewContext
from apps.review.services.errors import NotAllowedError, NotSignedInError, ReviewError
from apps.review.services.history import load_history
from apps.review.services.leases import claim_next
from apps.review.services.own_account import change_own_password, sign_out
from apps.review.store.models import Event, User, UserSession
from screening.exceptions import ScreeningError

PASSWORD = "a long enough password"
JUDGES, OVERSEERS, EVERYONE = {"reviewer", "lead"}, {"lead", "auditor"}, set(ROLES)

# Who may call what: written by hand, service by service; a new service must be added here.
ALLOWED: dict[str, set[str]] = {
    "accounts.add_user": {"admin"},
    "accounts.change_role": {"admin"},
    "accounts.deactivate_user": {"admin"},
    "accounts.is_generated_account": {"admin"},
    "accounts.list_accounts": {"admin"},
    "accounts.reactivate_user": {"admin"},
    "accounts.set_password": {"admin"},
    "accounts.unlock_user": {"admin"},
    "agreement.load_agreement": OVERSEERS,
    "audit_slice.load_audit": OVERSEERS,
    "dashboard.load_dashboard": OVERSEERS,
    "erasing.erase_post": {"admin"},
    "erasing.erase_posts": {"admin"},
    "escalations.count_escalated": {"lead"},
    "escalations.list_escalated": {"lead"},
    "escalations.list_taken_over": {"lead"},
    "escalations.take_over": {"lead"},
    "escalations.undo_take_over": {"lead"},
    "exporting.export_decisions": OVERSEERS,
    "exporting.export_labelled": {"lead"},
    "facets.load_facets": JUDGES,
    "groups.decide_group": JUDGES,
    "groups.load_group": JUDGES,
    "history.load_history": {"reviewer", "lead", "auditor"},
    "importing_explanations.import_explanations": {"admin"},
    "importing.import_scores": {"admin"},
    "judging.record_decision": JUDGES,
    "judging.revise_decision": JUDGES,
    "judging.undo_decision": JUDGES,
    "leases.claim_next": JUDGES,
    "leases.claim_post": JUDGES,
    "leases.extend_lease": JUDGES,
    "leases.release": JUDGES,
    "own_account.change_own_password": EVERYONE,
    "own_account.sign_out": EVERYONE,
    "posts.load_post": JUDGES,
    "queue.count_queue": JUDGES,
    "queue.load_queue": JUDGES,
    "retention.find_done": {"admin"},
    "search.search_posts": JUDGES,
    "thresholds.load_thresholds": OVERSEERS,
    "verifying.verify_chain": {"lead", "auditor", "admin"},
    "waiting.load_waits": OVERSEERS,
    "workload.load_workload": JUDGES,
    "workload.take_break": JUDGES,
}
OWN_PASSWORD_FIRST = {"own_account.change_own_password", "own_account.sign_out"}
# What the services themselves are made of: they take the transaction of the service that calls them.
GUARDS = {"access.authorize", "access.load_role"}


def find_services() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of the services that takes the context first."""
    package = apps.review.services
    for module in pkgutil.iter_modules(package.__path__):
        room = importlib.import_module(f"{package.__name__}.{module.name}")
        for name, function in inspect.getmembers(room, inspect.isfunction):
            parameters = list(inspect.signature(function).parameters)
            is_own = function.__module__ == room.__name__ and not name.startswith("_")
            if is_own and parameters[:1] == ["context"]:
                yield f"{module.name}.{name}", function


SERVICES = {name: function for name, function in find_services() if name not in GUARDS}


def make_arguments(function: Callable[..., Any], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Arguments that would do something if the call were let through."""
    known: dict[str, Any] = {
        "name": "target", "role": "lead", "password": "quite another sentence", "present": PASSWORD,
        "new": "quite another sentence", "post_id": "p3", "post_ids": ["p3"], "decision": "escalate", "seq": 1,
        "member_ids": ["p2"], "query": "p3", "labels": {"escalate": "urgent"},
            "untouched_since": datetime(2026, 1, 1, tzinfo=UTC), **tables,
    }  # fmt: skip
    needed = [
        name
        for name, parameter in list(inspect.signature(function).parameters.items())[2:]
        if parameter.default is inspect.Parameter.empty or name == "password"
    ]
    assert set(needed) <= known.keys(), f"teach this test an argument for {set(needed) - known.keys()}"
    return {name: known[name] for name in needed}


@pytest.fixture
def call(
    filled: ReviewContext, operator: SignedIn, make_scores: Callable[..., Any], make_posts: Callable[..., Any]
) -> Callable[..., Any]:
    """Call a service by its name, in a house with posts and an account that others could change."""
    add_user(filled, operator, name="target", role="reviewer", password=PASSWORD)
    explanations = pd.DataFrame({"post_id": ["p3"], "head": "class:urgent", "start": 0, "end": 1, "weight": 1.0})
    explanations["model_version"] = "0123456789ab"
    tables = {"scores": make_scores(6), "posts": make_posts(6), "explanations": explanations}

    def _call(service: str, actor: SignedIn | None, **changes: Any) -> Any:
        function = SERVICES[service]
        return function(filled, actor, **{**make_arguments(function, tables), **changes})

    return _call


@pytest.fixture
def enter(filled: ReviewContext, operator: SignedIn, clock: Any) -> Callable[[str], SignedIn]:
    """Sign someone of a role in, with a session of the server's own."""

    def _enter(role: str) -> SignedIn:
        name = f"{role}-1"
        with filled.store.read() as session:
            is_new = session.get(User, name) is None
        if is_new:
            add_user(filled, operator, name=name, role=role, password=PASSWORD)
        request = SignInRequest(user_name=name, password=SecretStr(PASSWORD))
        signed_in = LocalAccounts(filled.store).identify(request, clock())
        assert signed_in is not None
        opened = open_sessions(filled).open(signed_in)
        assert opened is not None
        return opened[0]

    return _enter


def open_sessions(context: ReviewContext) -> Sessions:
    return Sessions(context.store, context.settings.session, context.clock)


def catch(function: Callable[[], Any]) -> ScreeningError | None:
    try:
        function()
    except ScreeningError as error:
        return error
    return None


def photograph(context: ReviewContext) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the store."""
    found = MetaData()
    with context.store.read() as session:
        connection = session.connection()
        found.reflect(connection)
        return {name: sorted(map(repr, connection.execute(table.select()))) for name, table in found.tables.items()}


def test_every_service_is_in_the_table_and_takes_an_actor_second() -> None:
    assert SERVICES.keys() <= ALLOWED.keys(), "say in ALLOWED who may call the new service"
    for name, function in SERVICES.items():
        assert list(inspect.signature(function).parameters)[1] == "actor", name


def find_refusals(
    call: Callable[..., Any], context: ReviewContext, actors: dict[str, SignedIn | None], kind: type[ReviewError]
) -> dict[tuple[str, str], str]:
    """Call every service as everyone; returns what was not refused as it should be, or changed something."""
    before, faults = photograph(context), {}
    for (who, actor), service in product(actors.items(), sorted(SERVICES)):
        error = catch(lambda: call(service, actor))  # noqa: B023  # called at once
        if type(error) is not kind:
            faults[who, service] = repr(error)
    if photograph(context) != before:
        faults["anyone", "anything"] = "the store was changed"
    return faults


def test_every_service_refuses_whoever_is_not_signed_in_and_changes_nothing(
    call: Callable[..., Any], enter: Callable[[str], SignedIn], filled: ReviewContext, operator: SignedIn, clock: Any
) -> None:
    for role in ROLES:
        add_user(filled, operator, name=f"{role}-2", role=role, password=PASSWORD)
        ended, closed, present = enter(role), enter(role), enter(role)
        sign_out(filled, ended)
        minutes, hours = timedelta(minutes=15), timedelta(hours=10)
        strangers: dict[str, SignedIn | None] = {
            "nobody": None,
            "idle": present.model_copy(update={"last_seen_at": clock() - minutes}),
            "from yesterday": present.model_copy(update={"signed_in_at": clock() - hours}),
            "from the future": present.model_copy(update={"last_seen_at": clock() + timedelta(seconds=6)}),
            "another password": present.model_copy(update={"password_tag": "0" * 16}),
            "no such session": present.model_copy(update={"session_id": "0" * 64}),
            "another's session": present.model_copy(update={"user_name": "target"}),
            "no such account": present.model_copy(update={"user_name": "nobody", "session_id": ""}),
            "signed out": ended,
        }
        assert find_refusals(call, filled, strangers, NotSignedInError) == {}
        deactivate_user(filled, operator, name=closed.user_name)
        gone = {"closed": closed, "closed, no session": closed.model_copy(update={"session_id": ""})}
        assert find_refusals(call, filled, gone, NotSignedInError) == {}


def test_every_service_refuses_the_roles_that_are_not_in_the_table(
    call: Callable[..., Any], enter: Callable[[str], SignedIn], filled: ReviewContext
) -> None:
    people = {role: enter(role) for role in ROLES}
    before = photograph(filled)
    refused = {(role, service) for role in ROLES for service in SERVICES if role not in ALLOWED[service]}
    assert len(refused) > len(SERVICES)
    for role, service in sorted(refused):
        with pytest.raises(NotAllowedError, match=f"the role {role} may not"):
            call(service, people[role])
    assert photograph(filled) == before


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_lets_the_roles_of_the_table_in(
    call: Callable[..., Any], enter: Callable[[str], SignedIn], filled: ReviewContext, service: str
) -> None:
    for role in sorted(ALLOWED[service]):
        actor = enter(role)
        error = catch(lambda: call(service, actor))  # noqa: B023  # this post is not on the desk, and the like
        assert not isinstance(error, NotSignedInError), role
        assert "the role" not in str(error), role


def test_who_signed_in_with_a_one_time_password_may_only_choose_another(
    call: Callable[..., Any], enter: Callable[[str], SignedIn], filled: ReviewContext, operator: SignedIn, clock: Any
) -> None:
    add_user(filled, operator, name="lead-1", role="lead", password=PASSWORD, credential="one_time")
    actor = enter("lead")
    before = photograph(filled)
    for service in SERVICES.keys() - OWN_PASSWORD_FIRST:
        with pytest.raises(NotSignedInError, match="choose your own"):
            call(service, actor)
    assert photograph(filled) == before
    change_own_password(filled, actor, present=PASSWORD, new="a sentence of my own")
    request = SignInRequest(user_name=actor.user_name, password=SecretStr("a sentence of my own"))
    again = LocalAccounts(filled.store).identify(request, clock())
    assert again is not None
    assert not again.must_change_password
    claim_next(filled, again)


@pytest.mark.parametrize(
    ("service", "changes", "allowed"),
    [
        ("exporting.export_decisions", {"with_text": True}, {"lead"}),
        ("search.search_posts", {"query": "quiet", "in_text": True}, {"lead"}),
    ],
)
def test_words_of_posts_are_for_leads_only(
    call: Callable[..., Any],
    enter: Callable[[str], SignedIn],
    filled: ReviewContext,
    service: str,
    changes: dict[str, Any],
    allowed: set[str],
) -> None:
    if service not in SERVICES:
        pytest.skip(f"there is no {service}")
    for role in ROLES:
        actor, before = enter(role), photograph(filled)
        if role in allowed:
            call(service, actor, **changes)
            continue
        with pytest.raises(NotAllowedError):
            call(service, actor, **changes)
        assert photograph(filled) == before


def test_no_role_reads_posts_and_manages_accounts() -> None:
    for granted in PERMISSIONS.values():
        assert not (
            {"manage_accounts", "erase", "import"} & granted and {"judge", "export_text", "search_text"} & granted
        )
    assert not {"judge", "adjudicate", "undo_any", "search_text", "see_own_history"} & OPERATOR_PERMISSIONS


def test_a_new_role_counts_at_the_next_call_in_both_directions(
    filled: ReviewContext, operator: SignedIn, enter: Callable[[str], SignedIn]
) -> None:
    actor = enter("reviewer")
    assert claim_next(filled, actor) is not None
    change_role(filled, operator, name=actor.user_name, role="auditor")
    with pytest.raises(NotAllowedError, match="the role auditor"):
        claim_next(filled, actor)
    load_history(filled, actor)
    change_role(filled, operator, name=actor.user_name, role="reviewer")
    assert claim_next(filled, actor) is not None


def test_nobody_touches_their_own_role_or_standing(filled: ReviewContext, enter: Callable[[str], SignedIn]) -> None:
    admin = enter("admin")
    for service, changes in ((change_role, {"role": "lead"}), (deactivate_user, {}), (reactivate_user, {})):
        before = photograph(filled)
        with pytest.raises(NotAllowedError, match="their own account"):
            service(filled, admin, name=f" {admin.user_name.upper()} ", **changes)
        assert photograph(filled) == before


@pytest.mark.parametrize("is_operator", [False, True])
def test_the_last_active_admin_stays(
    filled: ReviewContext, operator: SignedIn, enter: Callable[[str], SignedIn], is_operator: bool
) -> None:
    actor = operator if is_operator else enter("admin")
    add_user(filled, operator, name="max", role="admin", password=PASSWORD)
    add_user(filled, operator, name="ina", role="admin", password=PASSWORD)
    deactivate_user(filled, actor, name="ina")  # does not count: closed
    if not is_operator:
        change_role(filled, actor, name="max", role="lead")
        return
    for service, changes in ((change_role, {"role": "lead"}), (deactivate_user, {})):
        with pytest.raises(NotAllowedError, match="the last active administrator"):
            service(filled, actor, name="max", **changes)
    reactivate_user(filled, actor, name="ina")
    change_role(filled, actor, name="max", role="lead")


def test_a_closed_account_gives_its_post_back_and_its_old_sessions_stay_ended(
    filled: ReviewContext, operator: SignedIn, enter: Callable[[str], SignedIn]
) -> None:
    ada, lead = enter("reviewer"), enter("lead")
    post = claim_next(filled, ada)
    deactivate_user(filled, operator, name=ada.user_name)
    assert claim_next(filled, lead) == post
    reactivate_user(filled, operator, name=ada.user_name)
    with pytest.raises(NotSignedInError, match="was ended"):
        claim_next(filled, ada)


def test_every_change_of_an_account_is_an_event_without_a_password(
    filled: ReviewContext, operator: SignedIn, enter: Callable[[str], SignedIn]
) -> None:
    admin, ada = enter("admin"), enter("reviewer")
    with filled.store.read() as session:
        n_before = len(session.scalars(select(Event.seq)).all())
    change_role(filled, admin, name=ada.user_name, role="lead")
    unlock_user(filled, admin, name=ada.user_name)
    deactivate_user(filled, admin, name=ada.user_name)
    reactivate_user(filled, admin, name=ada.user_name)
    set_password(filled, admin, name=ada.user_name, password="a second sentence", is_one_time=True)
    with filled.store.read() as session:
        events = session.execute(select(Event.kind, Event.actor, Event.payload).where(Event.seq > n_before)).all()
        everything = "".join(session.scalars(select(Event.payload)))
    assert [event.kind for event in events] == [
        "role_changed", "user_unlocked", "user_deactivated", "user_reactivated", "password_set"
    ]  # fmt: skip
    assert {event.actor for event in events} == {"admin-1"}
    assert '"from":"reviewer","to":"lead"' in events[0].payload
    assert "sentence" not in everything
    assert "argon2" not in everything


def test_the_list_of_accounts_shows_who_is_locked_and_who_was_here(
    filled: ReviewContext, operator: SignedIn, enter: Callable[[str], SignedIn], clock: Any
) -> None:
    admin = enter("admin")
    add_user(filled, operator, name="eve", role="lead", password=PASSWORD, credential="one_time")
    wrong = SignInRequest(user_name="eve", password=SecretStr("wrong wrong wrong"))
    for _ in range(5):
        assert LocalAccounts(filled.store).identify(wrong, clock()) is None
    accounts = {account.name: account for account in list_accounts(filled, admin)}
    assert accounts["eve"].is_locked
    assert accounts["eve"].must_change_password
    assert accounts["eve"].last_seen_at is None
    assert accounts["admin-1"].last_seen_at == clock()
    unlock_user(filled, admin, name="eve")
    right = SignInRequest(user_name="eve", password=SecretStr(PASSWORD))
    assert LocalAccounts(filled.store).identify(right, clock()) is not None


def test_a_present_password_is_not_guessed_at_an_open_screen(
    filled: ReviewContext, enter: Callable[[str], SignedIn]
) -> None:
    ada = enter("reviewer")
    for _ in range(5):
        with pytest.raises(ReviewError, match="not right"):
            change_own_password(filled, ada, present="a wrong enough one", new="quite another sentence")
    with pytest.raises(NotSignedInError):
        change_own_password(filled, ada, present=PASSWORD, new="quite another sentence")
    with filled.store.read() as session:
        assert session.scalars(select(UserSession.ended_at)).all() != [None]
