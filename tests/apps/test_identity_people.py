from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.server import open_context
from apps.review.services.accounts import add_user, list_accounts
from apps.review.services.context import ReviewContext

APP = Path(__file__).parents[2] / "apps" / "review" / "app.py"
PASSWORD = "a long enough password"
Open = Callable[..., AppTest]


@pytest.fixture
def people(context: ReviewContext, operator: SignedIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open the page of people, as an administrator or as another role."""
    monkeypatch.setenv("SCREENING_REVIEW_DB", str(context.store.engine.url.database))
    add_user(context, operator, name="ada", role="reviewer", password=PASSWORD)

    def _open(role: str = "admin") -> AppTest:
        add_user(context, operator, name="max", role=role, password=PASSWORD)
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.session_state["signed_in"] = identify(context, "max", PASSWORD)
        app.run().switch_page("views/people.py").run()
        assert not app.exception
        return app

    yield _open
    open_context.cache_clear()


def identify(context: ReviewContext, name: str, password: str) -> SignedIn | None:
    request = SignInRequest(user_name=name, password=SecretStr(password))
    return LocalAccounts(context.store).identify(request, datetime.now(UTC))


def read_page(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def test_an_admin_adds_someone_with_a_password_that_is_shown_once(people: Open, context: ReviewContext) -> None:
    app = people()
    app.text_input(key="new_name").set_value("Bob")
    app.selectbox(key="new_role").set_value("lead")
    (button,) = [button for button in app.button if button.label == "Add"]
    button.click().run()
    assert "Added bob as lead" in read_page(app)
    (code,) = app.code
    signed_in = identify(context, "bob", code.value)
    assert signed_in is not None
    assert signed_in.must_change_password
    assert app.run().code.len == 0


def test_an_admin_changes_a_role_and_closes_and_opens_an_account(
    people: Open, context: ReviewContext, operator: SignedIn
) -> None:
    app = people()

    def find() -> tuple[str, bool]:
        (ada,) = [account for account in list_accounts(context, operator) if account.name == "ada"]
        return ada.role, ada.is_active

    app.selectbox(key="role_ada").set_value("auditor").run()
    app.button(key="change_role").click().run()
    assert find() == ("auditor", True)
    app.button(key="deactivate").click().run()
    assert find() == ("auditor", False)
    assert "closed" in read_page(app)
    app.button(key="reactivate").click().run()
    assert find() == ("auditor", True)


def test_an_admin_unlocks_an_account_and_gives_it_a_new_password(people: Open, context: ReviewContext) -> None:
    for _ in range(5):
        assert identify(context, "ada", "a wrong enough one") is None
    app = people()
    assert "locked" in read_page(app)
    app.button(key="unlock").click().run()
    assert identify(context, "ada", PASSWORD) is not None
    app.button(key="reset_password").click().run()
    assert identify(context, "ada", PASSWORD) is None
    assert identify(context, "ada", app.code[0].value) is not None


def test_a_name_that_is_taken_or_no_name_is_refused_in_words(people: Open) -> None:
    app = people()
    for name, complaint in (("ADA", "exists"), ("<b>", "a user name needs")):
        app.text_input(key="new_name").set_value(name)
        (button,) = [button for button in app.button if button.label == "Add"]
        button.click().run()
        assert complaint.lower() in read_page(app).lower()
        assert app.code.len == 0


def test_nobody_is_offered_their_own_account(people: Open) -> None:
    app = people()
    assert app.selectbox(key="person").options == ["ada"]
    assert "max (you)" in read_page(app)


@pytest.mark.parametrize("role", ["reviewer", "lead", "auditor", None])
def test_other_roles_and_nobody_see_no_people(
    people: Open, context: ReviewContext, operator: SignedIn, role: str | None
) -> None:
    app = AppTest.from_file(str(APP.parent / "views" / "people.py"), default_timeout=60)
    if role is not None:
        add_user(context, operator, name="max", role=role, password=PASSWORD)
        app.session_state["signed_in"] = identify(context, "max", PASSWORD)
    app.run()
    assert not app.exception
    assert "ada" not in read_page(app)
    assert app.text_input.len + app.button.len + app.selectbox.len == 0
