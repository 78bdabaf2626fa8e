from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from apps.review.identity.local import LocalAccounts
from apps.review.identity.records import SignedIn, SignInRequest
from apps.review.services.accounts import add_user
from apps.review.services.context import ReviewContext
from apps.review.services.importing import import_scores
from apps.review.services.verifying import verify_chain

APP = Path(__file__).parents[2] / "apps" / "review" / "app.py"
PASSWORD = "a long enough password"
MakeTable = Callable[..., pd.DataFrame]


@pytest.fixture
def open_app(
    context: ReviewContext,
    operator: SignedIn,
    monkeypatch: pytest.MonkeyPatch,
    make_scores: MakeTable,
    make_posts: MakeTable,
) -> Iterator[Callable[..., AppTest]]:
    """Open the app on three waiting posts, as someone or as nobody."""
    monkeypatch.setenv("SCREENING_REVIEW_DB", str(context.store.engine.url.database))
    import_scores(context, operator, make_scores(), make_posts())

    def _open(role: str | None = "reviewer") -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=60)
        if role is not None:
            add_user(context, operator, name=role, role=role, password=PASSWORD)
            request = SignInRequest(user_name=role, password=SecretStr(PASSWORD))
            app.session_state["signed_in"] = LocalAccounts(context.store).identify(request, datetime.now(UTC))
        app.run()
        assert not app.exception
        return app

    yield _open
    st.cache_resource.clear()


def click(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    return button.click().run()


def read_page(app: AppTest) -> str:
    """Everything the page says, as HTML or as text."""
    parts = [element.proto.body for element in app.get("html")]
    for kind in ("title", "subheader", "markdown", "caption", "text", "info", "error", "success", "button"):
        parts += [str(getattr(element, "value", "")) + getattr(element, "label", "") for element in app.get(kind)]
    return "\n".join(parts)


def test_signed_out_there_is_the_way_in_and_nothing_else(open_app: Callable[..., AppTest]) -> None:
    app = open_app(None)
    page = read_page(app)
    assert [title.value for title in app.title] == ["Review"]
    assert not any(word in page for word in ("p3", "Queue", "History", "quiet walk", "Waiting"))


@pytest.mark.parametrize("view", ["queue.py", "post.py", "history.py"])
def test_a_page_run_by_itself_shows_nothing_to_nobody(open_app: Callable[..., AppTest], view: str) -> None:
    open_app(None)
    app = AppTest.from_file(str(APP.parent / "views" / view), default_timeout=60).run()
    assert [error.value for error in app.error] == ["Sign in first."]
    assert "p3" not in read_page(app)


def test_the_queue_shows_order_and_counts_but_no_scores(open_app: Callable[..., AppTest]) -> None:
    page = read_page(open_app())
    assert page.index("p3") < page.index("p2") < page.index("p1")
    assert "Waiting <strong>3" in page
    assert "Refer <strong>2" in page
    assert "75%" not in page
    assert 'class="level' not in page


def test_a_post_is_hidden_then_shown_then_judged_then_revealed_then_the_next_one_opens(
    open_app: Callable[..., AppTest],
) -> None:
    app = click(open_app(), "Open the next post")
    assert "quiet walk" not in read_page(app)
    assert app.button(key="decide_escalate").disabled
    click(app, "Show the text")
    page = read_page(app)
    assert "A quiet walk, number 3." in page
    assert "What the model said" not in page
    app.button(key="decide_needs_follow_up").click().run()
    page = read_page(app)
    assert "Saved: Needs follow-up." in page
    assert "What the model said" in page
    assert "75%" in page
    click(app, "Keep, next post")
    page = read_page(app)
    assert "p2" in page
    assert "What the model said" not in page
    assert "quiet walk" not in page


def test_a_judgement_can_be_revised_and_taken_back(
    open_app: Callable[..., AppTest], context: ReviewContext, operator: SignedIn
) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    app.button(key="decide_no_concern").click().run()
    app.button(key="revise_escalate").click().run()
    assert "kept beside it" in read_page(app)
    app.switch_page("views/history.py").run()
    page = read_page(app)
    assert "Escalate (revised)" in page
    assert "No concern · replaced" in page
    click(app, "Undo")
    assert "Escalate (revised) · taken back" in read_page(app)
    assert verify_chain(context, operator).is_intact


def test_crisis_resources_stand_beside_every_post(open_app: Callable[..., AppTest]) -> None:
    app = click(open_app(), "Open the next post")
    assert "Suicide &amp; Crisis Lifeline" in read_page(app)


@pytest.mark.parametrize("seen_ago", [timedelta(minutes=16), timedelta(hours=11)])
def test_a_session_that_rested_too_long_is_back_at_the_form(
    open_app: Callable[..., AppTest], seen_ago: timedelta
) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    past = datetime.now(UTC) - seen_ago
    session = app.session_state["signed_in"]
    app.session_state["signed_in"] = session.model_copy(update={"signed_in_at": past, "last_seen_at": past})
    app.run()
    assert [title.value for title in app.title] == ["Review"]
    assert "Your session has ended" in read_page(app)
    assert "quiet walk" not in read_page(app)


@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_roles_that_do_not_judge_have_no_way_to_posts(open_app: Callable[..., AppTest], role: str) -> None:
    app = open_app(role)
    assert [title.value for title in app.title] == ["History"]
    assert "p3" not in read_page(app)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("**bold** $x^2$ :red[x] # heading", "**bold** $x^2$ :red[x] # heading"),
        ("\x1b[31mred\x1b[0m", '<span class="hidden-sign">ESC</span>[31mred'),
        ("abc\u202edef\u200b", 'abc<span class="hidden-sign">RLO</span>def<span class="hidden-sign">ZERO WIDTH SPACE'),
        ("long " * 20_000, "long " * 20_000),
    ],
)
def test_hostile_posts_ids_and_notes_are_shown_as_text(
    context: ReviewContext,
    operator: SignedIn,
    monkeypatch: pytest.MonkeyPatch,
    open_app: Callable[..., AppTest],
    hostile: str,
    shown: str,
) -> None:
    post_id = hostile[:60]
    scores = pd.DataFrame({"post_id": [post_id], "triage": ["refer"], "risk_urgent": [1.0], "model_version": [hostile]})
    import_scores(context, operator, scores, pd.DataFrame({"post_id": [post_id], "text": [hostile]}))
    app = click(click(open_app(), "Open the next post"), "Show the text")
    assert shown in read_page(app)
    app.text_area[0].set_value(hostile[:4000]).run()
    app.button(key="decide_unsure").click().run()
    app.switch_page("views/history.py").run()
    assert not app.exception
    page = read_page(app)
    assert "Unsure" in page
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
