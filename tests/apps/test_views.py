from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewContext
from apps.review.services.importing_explanations import import_explanations
from apps.review.services.verifying import verify_chain
from tests.apps.opened_app import APP, OpenApp, click, decide, read_page

VIEWS = [
    "queue", "post", "history", "adjudication", "escalated", "dashboard", "audit", "thresholds", "export", "people",
]  # fmt: skip


def test_signed_out_there_is_the_way_in_and_nothing_else(open_app: OpenApp) -> None:
    app = open_app(None)
    page = read_page(app)
    assert [title.value for title in app.title] == ["Review"]
    assert not any(word in page for word in ("p3", "Queue", "History", "quiet walk", "Waiting"))


def test_a_page_run_by_itself_shows_nothing_to_nobody(open_app: OpenApp) -> None:
    open_app(None)
    for view in VIEWS:
        app = AppTest.from_file(str(APP.parent / "views" / f"{view}.py"), default_timeout=60).run()
        assert [error.value for error in app.error] == ["Sign in first."]
        assert "p3" not in read_page(app)


@pytest.mark.parametrize(
    ("role", "first", "refused"),
    [
        ("reviewer", "Queue", ["adjudication", "escalated", "dashboard", "audit", "thresholds", "export", "people"]),
        ("lead", "Queue", ["people"]),
        ("auditor", "History", ["queue", "post", "adjudication", "escalated", "people"]),
        (
            "admin",
            "People",
            ["queue", "post", "adjudication", "escalated", "dashboard", "audit", "thresholds", "export"],
        ),
    ],
)
def test_each_role_starts_on_its_own_page_and_reaches_no_other_roles_page(
    open_app: OpenApp, role: str, first: str, refused: list[str]
) -> None:
    app = open_app(role)
    assert [title.value for title in app.title] == [first]
    assert ("p3" in read_page(app)) == (first == "Queue")
    for view in refused:
        alone = AppTest.from_file(str(APP.parent / "views" / f"{view}.py"), default_timeout=60)
        alone.session_state["signed_in"] = app.session_state["signed_in"]
        alone.run()
        assert [error.value for error in alone.error] == [f"The role {role} has no access to this page."]
        assert "p3" not in read_page(alone)


def test_a_post_is_hidden_then_shown_then_judged_then_revealed_then_the_next_one_opens(open_app: OpenApp) -> None:
    app = click(open_app(), "Open the next post")
    assert "quiet walk" not in read_page(app)
    assert all(button.disabled for button in app.button if button.label in ("Escalate", "Unsure"))
    page = read_page(click(app, "Show the text"))
    assert "A quiet walk, number 3." in page
    assert "What the model said" not in page
    page = read_page(decide(app, "p3", "needs_follow_up"))
    assert "Saved: Needs follow-up." in page
    assert "What the model said" in page
    assert "75%" in page
    assert "where such posts are rarer, they are too high" in page
    page = read_page(click(app, "Keep, next post"))
    assert "p2" in page
    assert "What the model said" not in page
    assert "quiet walk" not in page


@pytest.mark.parametrize(
    ("reason", "said", "unsaid"),
    [
        ("no_change", "no word stands out", "did not converge"),
        ("delta", "did not converge", "no word stands out"),
        ("", "They are not reasons.", "did not converge"),
    ],
)
def test_a_page_says_why_an_explanation_marks_nothing_or_is_not_to_be_relied_on(
    open_app: OpenApp, context: ReviewContext, operator: SignedIn, reason: str, said: str, unsaid: str
) -> None:
    span = {"post_id": "p3", "head": "class:urgent", "start": 2, "end": 7, "weight": 1.0}
    told = {"model_version": "0123456789ab", "is_reliable": not reason, "unreliable_because": reason}
    import_explanations(context, operator, pd.DataFrame([span | told]))
    app = click(click(open_app(), "Open the next post"), "Show the text")
    assert said not in read_page(app)
    page = read_page(decide(app, "p3", "unsure"))
    assert said in page
    assert unsaid not in page
    assert ("<mark" in page) == (reason != "no_change")
    assert "quiet" in page


def test_the_text_can_be_hidden_again_or_always_shown_by_choice(open_app: OpenApp) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    assert "quiet walk" not in read_page(click(app, "Hide the text"))
    app.toggle(key="always_show_text").set_value(True).run()
    assert "A quiet walk, number 3." in read_page(app)


def test_the_keys_can_be_switched_off_on_every_page(open_app: OpenApp) -> None:
    app = open_app()
    assert _list_keys(app) == {"o"}
    app.toggle(key="uses_keys").set_value(False).run()
    click(app, "Open the next post")
    assert _list_keys(decide(click(app, "Show the text"), "p3", "unsure")) == set()
    app.toggle(key="uses_keys").set_value(True).run()
    assert _list_keys(app) == {"s", "k", "j", "z"}


def test_nothing_is_preset_where_a_judgement_is_made(open_app: OpenApp) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    assert [area.value for area in app.text_area] == [""]
    assert all(pills.value == [] for pills in app.get("button_group") if "reasons" in (pills.key or ""))


def test_reasons_and_note_are_kept_with_the_decision(open_app: OpenApp) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    _choose_reason(app, "escalate", "farewell")
    app.text_area[0].set_value("read twice").run()
    decide(app, "p3", "escalate")
    page = read_page(app.switch_page("views/history.py").run())
    assert "Escalate · Farewell · read twice" in page


def test_reasons_of_another_decision_stop_the_key_that_was_pressed(open_app: OpenApp, context: ReviewContext) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    _choose_reason(app, "escalate", "farewell")
    page = read_page(decide(app, "p3", "no_concern"))
    assert "Nothing was saved" in page
    assert "A quiet walk, number 3." in page  # the post is still there, and so is what was entered
    assert "Saved" in read_page(decide(app, "p3", "escalate"))


def test_a_judgement_can_be_revised_and_taken_back(
    open_app: OpenApp, context: ReviewContext, operator: SignedIn
) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    click(decide(app, "p3", "no_concern"), "Judge again")
    decide(app, "p3", "escalate", is_revision=True)
    assert "kept beside it" in read_page(app)
    click(app, "Undo the last decision")
    assert "The judgement before it counts again." in read_page(app)
    assert "<strong>No concern</strong>" in read_page(app)
    page = read_page(app.switch_page("views/history.py").run())
    assert "Escalate (revised) · taken back" in page
    assert "took back event" in page
    assert verify_chain(context, operator).is_intact


def test_undo_while_the_next_post_is_open_brings_the_post_back_to_the_desk(open_app: OpenApp) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    click(decide(app, "p3", "unsure"), "Keep, next post")
    page = read_page(click(app, "Undo the last decision"))
    assert "The post is on your desk again." in page
    assert "<strong>p3</strong>" in page
    assert "Undo" not in [button.label for button in app.button]


def test_a_post_put_back_waits_and_the_next_comes_only_when_asked_for(open_app: OpenApp) -> None:
    app = click(click(open_app(), "Open the next post"), "Put back")
    assert "p3" not in read_page(app)
    assert "<strong>p3</strong>" in read_page(click(app, "Open the next post"))


def test_crisis_resources_and_the_guideline_stand_beside_every_post(open_app: OpenApp) -> None:
    page = read_page(click(open_app(), "Open the next post"))
    assert "Suicide &amp; Crisis Lifeline" in page
    assert "Read what the post says now." in page


def test_the_house_names_its_own_crisis_resources(
    open_app: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_settings(tmp_path, monkeypatch, "crisis_resources: ['Here: 0800 <b>111</b>']\n")
    page = read_page(click(open_app(), "Open the next post"))
    assert "<div>Here: 0800 &lt;b&gt;111&lt;/b&gt;</div>" in page
    assert "Lifeline" not in page


def test_the_team_can_replace_the_guideline(open_app: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house.txt").write_text("# Ours\n- <script>first</script>", encoding="utf-8")
    monkeypatch.setenv("SCREENING_REVIEW_GUIDELINES", str(tmp_path / "house.txt"))
    page = read_page(click(open_app(), "Open the next post"))
    assert "<h3>Ours</h3><ul><li>&lt;script&gt;first&lt;/script&gt;</li></ul>" in page


def test_the_queue_shows_order_and_counts_but_neither_levels_nor_scores_to_a_blind_reader(open_app: OpenApp) -> None:
    page = read_page(open_app())
    assert page.index("p3") < page.index("p2") < page.index("p1")
    assert "Waiting <strong>3" in page
    assert not any(word in page for word in ("75%", 'class="level', "Refer", "Not flagged", "Audit"))


def test_a_break_is_suggested_put_aside_and_taken(
    open_app: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_settings(tmp_path, monkeypatch, "break_after_posts: 1\n")
    app = click(click(open_app(), "Open the next post"), "Show the text")
    page = read_page(decide(app, "p3", "unsure"))
    assert "You have judged 1 post in 0 minutes. A short break may do good." in page
    assert "A short break" not in read_page(click(app, "Not now"))
    app.session_state["reminder_put_aside"] = (-20, -20.0)  # as if so many posts had been judged since
    page = read_page(click(app.run(), "Take a break"))
    assert "Nothing is on your desk." in page
    assert "quiet walk" not in page
    page = read_page(click(app, "Go on"))
    assert "A short break" not in page


def test_the_daily_cap_ends_the_day_kindly_and_leaves_the_last_undo(
    open_app: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_settings(tmp_path, monkeypatch, "daily_cap: 1\n")
    app = click(click(open_app(), "Open the next post"), "Show the text")
    page = read_page(click(decide(app, "p3", "unsure"), "Keep, next post"))
    assert "Judged today: 1 of at most 1" in page
    assert "Thank you for today." in page
    assert "<strong>p3</strong>" in read_page(click(app, "Undo the last decision"))


@pytest.mark.parametrize("seen_ago", [timedelta(minutes=16), timedelta(hours=11)])
def test_a_session_that_rested_too_long_is_back_at_the_form(open_app: OpenApp, seen_ago: timedelta) -> None:
    app = click(click(open_app(), "Open the next post"), "Show the text")
    past = datetime.now(UTC) - seen_ago
    session = app.session_state["signed_in"]
    app.session_state["signed_in"] = session.model_copy(update={"signed_in_at": past, "last_seen_at": past})
    app.run()
    assert [title.value for title in app.title] == ["Review"]
    assert "Your session has ended" in read_page(app)
    assert "quiet walk" not in read_page(app)


def _list_keys(app: AppTest) -> set[str]:
    return {button.proto.shortcut for button in app.button if button.proto.shortcut}


def _choose_reason(app: AppTest, decision: str, code: str) -> None:
    (pills,) = [group for group in app.get("button_group") if (group.key or "").endswith(f"reasons_{decision}")]
    pills.set_value([code]).run()


def _write_settings(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (folder / "house.yaml").write_text(content, encoding="utf-8")
    monkeypatch.setenv("SCREENING_REVIEW_SETTINGS", str(folder / "house.yaml"))
