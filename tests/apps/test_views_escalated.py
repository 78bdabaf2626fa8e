"""The way of an escalated post on the pages: what its reader is told, and what a lead finds and does."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from apps.review.services import escalations
from apps.review.services.context import ReviewContext
from apps.review.services.judging import record_decision
from apps.review.services.leases import claim_post
from tests.apps.opened_app import OpenApp, click, decide, read_page, sign_in_now


@pytest.fixture
def escalated(open_app: OpenApp, context: ReviewContext) -> OpenApp:
    now = ReviewContext(context.store, context.settings)
    ada = sign_in_now(context, "ada", "reviewer")
    claim_post(now, ada, "p3")
    record_decision(now, ada, "p3", "escalate", "a plan?", reasons=["farewell"])
    return open_app


def test_who_escalates_is_told_at_once_what_happens_now(open_app: OpenApp) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    page = read_page(decide(app, "p3", "escalate"))
    assert "Saved: Escalate. The app itself tells nobody outside it: leads see the post" in page
    page = read_page(decide(click(click(app, "Keep, next post"), "Show the text"), "p2", "unsure"))
    assert "tells nobody outside" not in page


def test_the_house_says_whom_to_call_after_an_escalation(
    open_app: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "house.yaml").write_text("after_escalation: Now call the duty desk.\n", encoding="utf-8")
    monkeypatch.setenv("SCREENING_REVIEW_SETTINGS", str(tmp_path / "house.yaml"))
    app = click(click(open_app(), "Open the next post"), "Show the text")
    assert "Saved: Escalate. Now call the duty desk." in read_page(decide(app, "p3", "escalate"))


def test_a_lead_finds_an_escalated_post_takes_it_over_and_reads_it(escalated: OpenApp) -> None:
    app = escalated("lead")
    assert "1 escalated wait to be taken over" in [link.label for link in app.get("page_link")]
    page = read_page(app.switch_page("views/escalated.py").run())
    assert all(words in page for words in ("p3", "escalated by ada", "Farewell", "waiting less than a minute"))
    assert not any(words in page for words in ("quiet walk", "a plan?"))
    page = read_page(click(app, "Take over"))
    assert "Taken over" in page
    assert "a plan?" in page
    assert "quiet walk" not in page
    assert "A quiet walk, number 3." in read_page(click(app, "Show the text"))
    page = read_page(click(app, "Back to the list"))
    assert "No escalated post waits for a lead." in page
    assert "quiet walk" not in read_page(click(app, "Look"))


def test_a_page_is_drawn_with_one_count_of_what_is_escalated(
    escalated: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    count = escalations.count_waiting

    def note(session: Session) -> int:
        counted.append(count(session))
        return counted[-1]

    monkeypatch.setattr(escalations, "count_waiting", note)
    app = escalated("lead")
    assert "1 escalated wait to be taken over" in [link.label for link in app.get("page_link")]
    assert counted == [1]


def test_a_lead_hands_an_escalated_post_back_in_the_history(escalated: OpenApp) -> None:
    app = click(escalated("lead").switch_page("views/escalated.py").run(), "Take over")
    app.switch_page("views/history.py").run()
    assert "taken over" in read_page(app)
    undo = [button for button in app.button if button.label == "Undo"][0]  # noqa: RUF015  # the newest event stands first
    undo.click().run()
    assert "taken over · taken back" in read_page(app)
    page = read_page(app.switch_page("views/escalated.py").run())
    assert "escalated by ada" in page


def test_two_leads_who_take_the_same_post_over_get_one_yes_and_one_reason(escalated: OpenApp) -> None:
    first = escalated("lead").switch_page("views/escalated.py").run()
    other = escalated("lead").switch_page("views/escalated.py").run()
    click(first, "Take over")
    assert "lead has taken it over; nothing was changed" in read_page(click(other, "Take over"))
