"""The page as a file: whole, self-contained, escaped, readable without sight or script."""

import base64
import csv
import dataclasses
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.assembly import build_page
from reports.page import Page
from reports.render import render_html, write_report
from reports.results import RunResults
from reports.sections.other_thresholds import build_other_thresholds

HOSTILE = "<script>alert(1)</script>\"'&"
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Inspector(HTMLParser):
    """Collect ids, targets of links, and every attribute that could load something; check that tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.fragments: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "data", "action", "poster", "srcset"):
                (self.fragments if (value or "").startswith("#") else self.loads).append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()


def inspect(html: str) -> Inspector:
    inspector = Inspector()
    inspector.feed(html)
    assert not inspector.open
    return inspector


@pytest.fixture(scope="session")
def html(page: Page) -> str:
    return render_html(page)


def test_the_page_loads_nothing_from_anywhere(html: str) -> None:
    assert inspect(html).loads == []
    assert not re.search(r"@import|url\((?!#)", html)
    assert len(html.encode()) < 2_000_000


def test_every_link_leads_to_one_place_on_the_page(html: str) -> None:
    inspector = inspect(html)
    assert len(set(inspector.ids)) == len(inspector.ids)
    assert {fragment.removeprefix("#") for fragment in inspector.fragments} <= set(inspector.ids)


def test_the_only_script_and_style_are_ours_and_the_policy_lets_no_other_run(html: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src 'none'" in policy[1].replace("&#39;", "'")
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", html, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy[1]
    assert "script-src-attr" not in policy[1]
    assert not [name for name in inspect(html).attributes if name.startswith("on")]


def test_every_row_of_the_slider_stands_on_the_page_without_the_script(results: RunResults, html: str) -> None:
    without = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    frame = build_other_thresholds(results).frame
    tables = re.findall(r'<table class="dense" data-target="(\w+)".*?</table>', without, flags=re.DOTALL)
    assert {name: tables.count(name) for name in set(tables)} == {"suicidewatch": 7, "any_risk": 7}
    rows = re.findall(r'<table class="dense".*?</table>', without, flags=re.DOTALL)
    assert sum(table.count("<tr") - 1 for table in rows) == len(frame)
    assert re.search(r"<div data-controls hidden", without)


def test_headings_go_down_one_level_at_a_time(html: str) -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", html)]
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


def test_hostile_names_are_shown_and_not_run(results: RunResults) -> None:
    test = results.test.assign(community=HOSTILE)
    info = results.run_info | {"commit": HOSTILE}
    hostile = dataclasses.replace(results, test=test, run_info=info, comparators={})
    html = render_html(build_page(hostile))
    inspect(html)
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(1)" in html


def test_pictures_have_words_for_who_cannot_see_them(page: Page, html: str) -> None:
    pictures = [picture for section in page.sections for picture in section.pictures]
    assert len(pictures) >= 7
    assert html.count('role="img"') == len(pictures)
    for picture in pictures:
        assert f'aria-labelledby="{picture.name}-title {picture.name}-desc"' in picture.svg
        assert picture.description


def test_the_page_says_what_it_is_not_for_and_where_help_is(results: RunResults, html: str) -> None:
    for words in ("Diagnosis of any condition", "Prediction of suicide", "Not for", results.taxonomy.label_meaning):
        assert words in html
    for line in results.config.report.crisis_resources:
        assert line.replace("&", "&amp;") in html


def test_synthetic_posts_put_a_banner_on_the_page(results: RunResults, page: Page, html: str) -> None:
    sentence = "Synthetic posts: these numbers mean nothing about people."
    assert sentence not in html
    assert not page.banner
    synthetic = dataclasses.replace(results, data_card=results.data_card | {"is_synthetic": True}, comparators={})
    assert sentence in render_html(build_page(synthetic))


@pytest.fixture
def build_nothing(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the page that was built already: these tests are about files."""
    monkeypatch.setattr("reports.render.build_page", lambda _: page)


@pytest.mark.usefixtures("build_nothing")
def test_tables_csv_and_json_hold_the_same_numbers(results: RunResults, page: Page, tmp_path: Path) -> None:
    write_report(results, tmp_path / "report")
    content = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert set(content["tables"]) == {table.name for table in page.tables}
    for name, table in content["tables"].items():
        with (tmp_path / "report" / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(table["rows"])
        for row, record in zip(rows, table["rows"], strict=True):
            numbers = {key: float(row[key]) for key, value in record.items() if isinstance(value, float)}
            assert numbers == pytest.approx({key: record[key] for key in numbers}, rel=1e-9, abs=1e-12)


@pytest.mark.usefixtures("build_nothing")
def test_no_post_id_reaches_any_file(results: RunResults, tmp_path: Path) -> None:
    write_report(results, tmp_path / "report")
    everything = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert not any(f">{post}<" in everything or f'"{post}"' in everything for post in results.test["post_id"].head(50))


@pytest.mark.usefixtures("build_nothing")
def test_a_failed_report_leaves_the_earlier_one_whole(
    results: RunResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(results, tmp_path / "report")
    before = path.read_bytes()

    def fail(_: Page) -> str:
        message = "disk full"
        raise OSError(message)

    monkeypatch.setattr("reports.render.render_html", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(results, tmp_path / "report")
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["report"]


def test_the_same_run_gives_the_same_page(results: RunResults, html: str) -> None:
    assert render_html(build_page(results)) == html


def test_a_bare_run_still_gives_a_page(results: RunResults) -> None:
    bare = dataclasses.replace(
        results, run_info={}, data_card={}, history=results.history.head(0), temperature=None, controls=None,
        comparators={}, explanations=None,
    )  # fmt: skip
    inspect(render_html(build_page(bare)))


def test_the_answer_names_promise_finding_and_cost(page: Page) -> None:
    _, *targets, queue = page.answer
    assert "if any target flags it" in queue
    for sentence in targets:
        for words in ("95% confidence", "95% interval", "such posts were found", "reviewer hours per 1,000 posts"):
            assert words in sentence


def test_report_is_written_to_a_relative_folder(
    results: RunResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_report(results, Path("runs/demo/report")).is_file()
