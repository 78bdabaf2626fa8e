"""What happens to a decision when something goes wrong between the page and the store."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from apps.review.components.labels import mark_post
from apps.review.identity.sessions import Sessions
from apps.review.services.context import ReviewContext
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_post
from apps.review.store.models import Event, QueueItem
from tests.apps.opened_app import OpenApp, click, decide, open_app_as, read_page, sign_in_now


def _count_decisions(context: ReviewContext) -> int:
    with context.store.read() as session:
        return session.scalar(select(func.count()).where(Event.kind.in_(("decision", "revision")))) or 0


def _hand_to_someone_else(context: ReviewContext, post_id: str) -> ReviewContext:
    """Let the lease run out and another reviewer take the post."""
    with context.store.write() as session:
        item = session.get_one(QueueItem, post_id)
        item.leased_by, item.lease_expires_at = None, None
    now = ReviewContext(context.store, context.settings)
    claim_post(now, sign_in_now(context, "bob", "reviewer"), post_id)
    return now


def test_a_reload_after_a_decision_neither_loses_nor_doubles_it(open_app: OpenApp, context: ReviewContext) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    decide(app, "p3", "escalate")
    again = open_app_as(context, "reviewer")  # a reload: the same person, nothing remembered on the page
    assert "<strong>p2</strong>" in read_page(click(again, "Open the next post"))
    assert _count_decisions(context) == 1


def test_a_reload_in_mid_form_keeps_the_post_and_saves_nothing(open_app: OpenApp, context: ReviewContext) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    app.text_area[0].set_value("half a thought").run()
    again = click(open_app_as(context, "reviewer"), "Open the next post")
    page = read_page(again)
    assert "<strong>p3</strong>" in page
    assert "half a thought" not in page
    assert _count_decisions(context) == 0


@pytest.mark.parametrize("is_revision", [False, True])
def test_a_double_click_on_a_decision_is_one_event(
    open_app: OpenApp, context: ReviewContext, is_revision: bool
) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    if is_revision:
        click(decide(app, "p3", "unsure"), "Judge again")
    n_before = _count_decisions(context)
    app.button(key=_key("p3", is_revision=is_revision)).click()
    message = app._tree.get_widget_states()  # what the browser sends on a click: sent twice, as by a double click
    app._run(message)
    assert "Saved: Escalate." in read_page(app)
    app._run(message)
    assert not app.exception
    assert "The second click changed nothing." in read_page(app)
    assert _count_decisions(context) == n_before + 1


@pytest.mark.parametrize("by_lead", [False, True])
def test_a_decision_after_one_that_was_taken_back_elsewhere_is_saved(
    open_app: OpenApp, context: ReviewContext, by_lead: bool
) -> None:
    app = decide(click(click(open_app(), "Open the next post"), "Show the text"), "p3", "no_concern")
    if by_lead:
        click(open_app("lead").switch_page("views/history.py").run(), "Undo")
        click(click(app.run(), "Next post"), "Show the text")
    else:
        click(app.switch_page("views/history.py").run(), "Undo")
        app.switch_page("views/post.py").run()
    page = read_page(decide(app, "p3", "escalate"))
    assert "Saved: Escalate." in page
    with context.store.read() as session:
        judged = session.scalars(select(Event.decision).where(Event.kind == "decision").order_by(Event.seq)).all()
    assert judged == ["no_concern", "escalate"]


def test_an_undo_in_the_history_leaves_no_undo_of_the_same_decision_on_the_page(open_app: OpenApp) -> None:
    app = decide(click(click(open_app(), "Open the next post"), "Show the text"), "p3", "no_concern")
    click(app.switch_page("views/history.py").run(), "Undo")
    app.switch_page("views/post.py").run()
    assert "Undo the last decision" not in [button.label for button in app.button]


def test_an_undo_on_the_page_as_it_was_never_takes_back_an_earlier_decision(
    open_app: OpenApp, context: ReviewContext
) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    click(click(decide(app, "p3", "escalate"), "Keep, next post"), "Show the text")
    app.button(key="undo_last").click()
    undo = app._tree.get_widget_states()  # what the browser sends if the page is not yet drawn anew
    app.button(key="undo_last").set_value(False)
    decide(app, "p2", "unsure")
    app._run(undo)
    assert not app.exception
    with context.store.read() as session:
        undone = session.scalars(select(Event.post_id).where(Event.kind == "undo")).all()
    assert "p3" not in undone


def test_a_decision_of_an_ended_session_is_not_saved_and_says_so(open_app: OpenApp, context: ReviewContext) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    app.text_area[0].set_value("half a thought").run()
    past = datetime.now(UTC) - timedelta(minutes=16)
    session = app.session_state["signed_in"]
    app.session_state["signed_in"] = session.model_copy(update={"signed_in_at": past, "last_seen_at": past})
    page = read_page(decide(app, "p3", "escalate"))
    assert [title.value for title in app.title] == ["Review"]
    assert "nothing was saved by it" in page
    assert "quiet walk" not in page
    assert _count_decisions(context) == 0


def test_a_decision_on_a_post_someone_else_holds_by_now_is_refused_in_clear_words(
    open_app: OpenApp, context: ReviewContext
) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    _hand_to_someone_else(context, "p3")
    page = read_page(decide(app, "p3", "escalate"))
    assert "Not done." in page
    assert "on another reviewer&#x27;s desk by now; nothing was saved" in page
    assert "<strong>p2</strong>" in page  # the next free post, its text hidden
    assert "quiet walk" not in page
    assert _count_decisions(context) == 0


def test_a_decision_on_a_post_someone_else_has_judged_is_refused_in_clear_words(
    open_app: OpenApp, context: ReviewContext
) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    now = _hand_to_someone_else(context, "p3")
    record_decision(now, sign_in_now(context, "bob"), "p3", "no_concern")
    page = read_page(decide(app, "p3", "escalate"))
    assert "has a decision already; nothing was changed" in page
    assert _count_decisions(context) == 1


def test_a_note_that_was_not_saved_is_there_again_when_its_post_comes_back(open_app: OpenApp) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    app.text_area[0].set_value("half a thought").run()
    click(app, "Put back")  # what the end of the time on the desk does too
    app.switch_page("views/history.py").run().switch_page("views/post.py").run()
    assert "quiet walk" not in read_page(app)
    assert [area.value for area in app.text_area] == ["half a thought"]
    click(app, "Show the text")
    decide(app, "p3", "escalate")
    click(app, "Undo")
    assert "<strong>p3</strong>" in read_page(app)
    assert [area.value for area in app.text_area] == [""]


def test_when_the_time_on_the_desk_is_over_the_screen_is_cleared(
    open_app: OpenApp, context: ReviewContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "house.yaml").write_text("lease_duration: PT0.001S\n", encoding="utf-8")
    monkeypatch.setenv("SCREENING_REVIEW_SETTINGS", str(tmp_path / "house.yaml"))
    app = open_app()
    touched: list[datetime] = []
    touch = Sessions.touch
    monkeypatch.setattr(Sessions, "touch", lambda *args: touched.append(datetime.now(UTC)) or touch(*args))
    page = read_page(click(app, "Open the next post"))
    assert len(touched) == 2  # the click and the page it leads to; clearing the screen is no activity
    assert "The time on your desk was over." in page
    assert "p3" not in page
    with context.store.read() as session:
        assert session.get_one(QueueItem, "p3").leased_by is None


def _key(post_id: str, *, is_revision: bool) -> str:
    return f"{'revise' if is_revision else 'decide'}_{mark_post(post_id)}_escalate"
