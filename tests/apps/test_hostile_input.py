"""Posts, ids, notes and search words are hostile: they are shown as text and change nothing."""

import html
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from apps.review.identity.records import SignedIn, command_line_operator
from apps.review.services.accounts import add_user
from apps.review.services.context import ReviewContext
from apps.review.services.importing import import_scores
from screening.explain.rendering import escape_visibly, show_visibly
from tests.apps.conftest import CHROMIUM, CHROMIUM_FLAGS
from tests.apps.opened_app import PASSWORD, OpenApp, click, decide, read_page

HOSTILE = {
    "script": "<script>window.broken=1</script><img src=x onerror=window.broken=1><svg onload=window.broken=1>",
    "attribute": '"\' onmouseover=window.broken=1 x=" </div></style><style>*{display:none}</style>',
    "markdown": "# Head\n**bold** [link](javascript:alert(1)) ![i](http://127.0.0.1:9/x.png) :red[x] `code` | a | b |",
    "latex": r"$\frac{1}{2}$ and $$x^2$$ and \(y\) :material/home: :smile:",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://127.0.0.1:9\x1b\\link\x07 \x9b2J",
    "reordering": "abc \u202edcba\u202c \u2066x\u2069 \u200f\u05d0\u05d1 after",
    "zero width": "in\u200bvis\u200cib\u200dle \ufeffjoin\u2060er so\u00adft \u00a0\u3164",
    "long line": "verylongword" * 8_500,
}
HIDDEN_SIGNS = ("\x1b", "\x9b", "\x07", "\u202e", "\u202c", "\u2066", "\u2069", "\u200b", "\u200d", "\ufeff", "\u2060")


def _import(context: ReviewContext, operator: SignedIn, texts: dict[str, str]) -> None:
    """Import posts more urgent than any other, in this order."""
    ids = list(texts)
    risks = [1.0 - i / 1_000 for i in range(len(ids))]
    scores = pd.DataFrame({"post_id": ids, "triage": "refer", "risk_urgent": risks, "model_version": "0123456789ab"})
    posts = pd.DataFrame({"post_id": ids, "text": list(texts.values()), "community": [post_id[:60] for post_id in ids]})
    import_scores(context, operator, scores, posts)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_posts_ids_notes_and_searches_are_shown_as_text(
    context: ReviewContext, operator: SignedIn, open_app: OpenApp, kind: str
) -> None:
    hostile = HOSTILE[kind]
    post_id = hostile[:60].replace("\n", " ")
    _import(context, operator, {post_id: hostile})
    app = open_app()
    pages = [read_page(app)]
    app.text_input(key="search").set_value(hostile[:190]).run()
    pages.append(read_page(app))
    app.text_input(key="search").set_value("").run()
    pages.append(read_page(click(click(app, "Open the next post"), "Show the text")))
    assert escape_visibly(hostile) in pages[-1]
    assert html.escape(show_visibly(post_id)) in pages[-1]
    app.text_area[0].set_value(hostile[:4_000]).run()
    pages.append(read_page(decide(app, post_id, "unsure")))
    app.switch_page("views/history.py").run()
    app.text_input(key="history_post").set_value(post_id).run()
    assert not app.exception
    pages.append(read_page(app))
    assert html.escape(show_visibly(hostile[:4_000])[:300]) in pages[-1].replace("\n", " ")
    shown = [element.proto.body for element in app.get("html")]
    assert not any("<script" in page or "<img" in page or "<svg" in page for page in shown)
    assert not any(sign in body for body in shown for sign in HIDDEN_SIGNS)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_lead_sees_hostile_notes_and_ids_as_text_when_settling_and_exporting(
    context: ReviewContext, operator: SignedIn, open_app: OpenApp, kind: str
) -> None:
    from apps.review.services.context import ReviewSettings
    from apps.review.services.judging import record_decision
    from apps.review.services.leases import claim_post
    from tests.apps.opened_app import sign_in_now

    hostile = HOSTILE[kind]
    post_id = hostile[:60].replace("\n", " ")
    _import(context, operator, {post_id: hostile})
    now = ReviewContext(context.store, ReviewSettings(second_read_fraction=1.0))
    for name, decision in (("ada", "escalate"), ("bob", "no_concern")):
        person = sign_in_now(context, name, "reviewer")
        claim_post(now, person, post_id)
        record_decision(now, person, post_id, decision, hostile[:4_000])
    app = open_app("lead")
    app.switch_page("views/adjudication.py").run()
    page = read_page(click(app, "Settle"))
    assert page.count(escape_visibly(hostile[:4_000].strip())) >= 2
    bodies = [element.proto.body for element in app.get("html")]
    assert not any(mark in body for body in bodies for mark in ("<script", "<img", "<svg", *HIDDEN_SIGNS))


@pytest.fixture
def browser_page() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs Debian's chromium at {CHROMIUM}")
def test_in_chromium_hostile_posts_run_nothing_fetch_nothing_and_reorder_nothing(
    context: ReviewContext, serve_app: Callable[..., str], browser_page: Any
) -> None:
    operator = command_line_operator(datetime.now(UTC))
    _import(context, operator, {f"{text[:40]} {name}".replace("\n", " "): text for name, text in HOSTILE.items()})
    add_user(context, operator, name="ada", role="reviewer", password=PASSWORD)
    address, page = serve_app(), browser_page
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url) if address[7:] not in request.url else None)
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.type}"))
    page.goto(address)
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Open the next post").click()
    for name, text in HOSTILE.items():
        page.locator(".facts", has_text=f"{name}waiting").wait_for()
        page.get_by_role("button", name="Show the text").wait_for()
        page.keyboard.press("s")
        page.get_by_role("button", name="Hide the text").wait_for()
        box = page.locator(".post-box .post-text")
        page.wait_for_function(_HAS_LENGTH, arg=len(text.strip()) * 0.9)
        assert box.locator(":scope :not(.hidden-sign)").count() == 0  # no element but our own names of hidden signs
        assert page.evaluate("window.broken") is None
        # Nothing wider than the window, and the facts beside the post still read from left to right.
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert _reads_left_to_right(page)
        page.get_by_role("button", name="Unsure", disabled=False).wait_for()
        page.keyboard.press("u")
        page.get_by_role("button", name="Keep, next post").wait_for()
        page.keyboard.press("k")
    page.goto(f"{address}/history")
    page.get_by_text("Unsure").first.wait_for()
    assert page.locator(".row img, .row script, .row a, .row strong").count() == 0
    assert page.evaluate("window.broken") is None
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []


_HAS_LENGTH = "n => (document.querySelector('.post-box .post-text')?.textContent.length ?? 0) >= n"
_IN_ORDER = """() => {
    const facts = [...document.querySelectorAll('.facts > span')].map(node => {
        const range = document.createRange();
        range.setStart(node.firstChild, 0);
        range.setEnd(node.firstChild, 4);
        const [label, value] = [range.getClientRects()[0], node.querySelector('bdi').getClientRects()[0]];
        return label.left < value.left || label.top < value.top;
    });
    return facts.length >= 2 && facts.every(Boolean);
}"""


def _reads_left_to_right(page: Any) -> bool:
    """Tell whether the facts stand in the order they were written in: the name, then its value."""
    return bool(page.evaluate(_IN_ORDER))
