"""The page in Chromium: the slider shows the table's numbers, nothing is loaded, nothing overflows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.page import Page
from reports.render import render_html

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs Debian's chromium at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(page: Page, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_text(render_html(page), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def view(browser: Any, address: str) -> Iterator[Any]:
    view = browser.new_page(viewport={"width": 1400, "height": 900})
    view.requests, view.messages = [], []
    view.on("requestfinished", lambda request: view.requests.append(request.url))
    view.on("console", lambda message: view.messages.append(message.text))
    view.on("pageerror", lambda error: view.messages.append(str(error)))
    view.goto(address)
    yield view
    view.close()


def read_shown(view: Any) -> list[str]:
    return [" ".join(text.split()) for text in view.locator("[data-show]").all_text_contents()]


def read_row(view: Any, target: str, posts: str, row: int) -> list[str]:
    table = view.locator(f'table[data-target="{target}"][data-posts="{posts}"]')
    cells = table.locator("tbody tr").nth(row).locator("th, td")
    return [" ".join(text.split()) for text in cells.all_text_contents()]


def test_moving_the_slider_shows_the_row_of_the_table(view: Any) -> None:
    target, posts = view.get_by_label("Risk target"), view.get_by_label("Posts screened")
    slider = view.get_by_role("slider")
    start = int(slider.input_value())
    assert read_shown(view) == read_row(view, target.input_value(), posts.input_value(), start)
    assert view.get_by_text("This is the operating point").is_visible()

    slider.focus()
    for _ in range(3):
        view.keyboard.press("ArrowRight")
    assert read_shown(view) == read_row(view, target.input_value(), posts.input_value(), start + 3)
    assert view.get_by_text("nothing is promised here").is_visible()
    assert slider.get_attribute("aria-valuetext") == f"threshold {read_shown(view)[0]}"
    view.keyboard.press("End")
    assert read_shown(view)[1].startswith("100.0%")

    posts.select_option(index=3)
    assert read_shown(view) == read_row(view, target.input_value(), posts.input_value(), int(slider.input_value()))
    target.select_option("any_risk")
    assert read_shown(view) == read_row(view, "any_risk", posts.input_value(), int(slider.input_value()))
    assert view.messages == []


def test_nothing_is_requested_and_no_other_script_can_run(view: Any, address: str) -> None:
    view.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.broken=1\">')")
    view.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.broken = 1';
        document.body.append(script);
    }""")
    view.wait_for_timeout(200)
    assert view.evaluate("window.broken") is None
    assert view.requests == [address]


@pytest.mark.parametrize("width", [1400, 800, 360])
def test_the_page_never_scrolls_sideways(view: Any, width: int) -> None:
    view.set_viewport_size({"width": width, "height": 800})
    assert view.evaluate("document.documentElement.scrollWidth") <= width


def test_without_script_the_tables_are_there_and_the_controls_are_not(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    view = context.new_page()
    view.goto(address)
    assert not view.get_by_role("slider").is_visible()
    view.get_by_text("The tables behind the slider").click()
    view.locator("details.behind details.behind summary").first.click()
    assert view.locator("table.dense").first.is_visible()
    context.close()


def test_printing_opens_what_is_folded_except_the_tables_behind_the_slider(view: Any) -> None:
    view.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    is_open = view.evaluate("[...document.querySelectorAll('details')].map((one) => [one.className, one.open])")
    assert all(state == (name != "behind") for name, state in is_open)
    view.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert view.evaluate("document.querySelectorAll('details[open]').length") == 0
