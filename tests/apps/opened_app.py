"""The app as Streamlit's own test runner opens it: who is signed in, what is clicked, what the page says."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from apps.review.components.labels import mark_post
from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import ROLES, SignedIn, SignInRequest, command_line_operator
from apps.review.services.accounts import add_user
from apps.review.services.context import ReviewContext

APP = Path(__file__).parents[2] / "apps" / "review" / "app.py"
PASSWORD = "a long enough password"
OpenApp = Callable[..., AppTest]


def sign_in_now(context: ReviewContext, name: str, role: str | None = None) -> SignedIn:
    """Create the account where a role is given, and sign it in at the real time of day."""
    now = datetime.now(UTC)
    if role is not None:
        add_user(context, command_line_operator(now), name=name, role=role, password=PASSWORD)
    signed_in = LocalAccounts(context.store).identify(
        SignInRequest(user_name=name, password=SecretStr(PASSWORD)), datetime.now(UTC)
    )
    assert signed_in is not None
    return signed_in


def open_app_as(context: ReviewContext, name: str | None) -> AppTest:
    """Open the app as this person (a role's name makes an account of that role), or as nobody."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    if name is not None:
        try:
            app.session_state["signed_in"] = sign_in_now(context, name)
        except AssertionError:
            app.session_state["signed_in"] = sign_in_now(context, name, name if name in ROLES else "reviewer")
    app.run()
    assert not app.exception
    return app


def click(app: AppTest, label: str) -> AppTest:
    """Click the one button with this label."""
    (button,) = [button for button in app.button if button.label == label]
    button.click().run()
    assert not app.exception
    return app


def decide(app: AppTest, post_id: str, decision: str, *, is_revision: bool = False) -> AppTest:
    """Click a decision on a post."""
    app.button(key=f"{'revise' if is_revision else 'decide'}_{mark_post(post_id)}_{decision}").click().run()
    assert not app.exception
    return app


def read_page(app: AppTest) -> str:
    """Everything the page says, as HTML or as text."""
    parts = [element.proto.body for element in app.get("html")]
    kinds = (
        "title", "subheader", "markdown", "caption", "text", "info", "error", "success", "button", "checkbox",
        "selectbox", "radio", "toggle", "text_input", "text_area",
    )  # fmt: skip
    for kind in kinds:
        parts += [str(getattr(element, "value", "")) + getattr(element, "label", "") for element in app.get(kind)]
    return "\n".join(parts)
