"""A page, its tables and a model card come out of every run, however little there is to show."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.assembly import build_page
from reports.model_card.card import write_model_card
from reports.render import render_html, write_report
from reports.results import RunResults

Change = Callable[[RunResults], RunResults]


def drop_points(results: RunResults) -> RunResults:
    return dataclasses.replace(results, operating_points=())


def drop_positives(results: RunResults) -> RunResults:
    return replace_test(results, results.test[results.test["label"] == "offmychest"])


def keep_one_class(results: RunResults) -> RunResults:
    return replace_test(results, results.test[results.test["label"] == "suicidewatch"])


def empty_test(results: RunResults) -> RunResults:
    return replace_test(results, results.test.head(0))


def keep_one_post(results: RunResults) -> RunResults:
    return replace_test(results, results.test.head(1))


def drop_everything(results: RunResults) -> RunResults:
    bare = dataclasses.replace(
        results, operating_points=(), controls=None, comparators={}, explanations=None, temperature=None, run_info={},
        data_card={}, history=results.history.head(0),
    )  # fmt: skip
    return empty_test(bare)


def replace_test(results: RunResults, test: object) -> RunResults:
    ids = set(test["post_id"])  # type: ignore[index]
    others = {
        name: dataclasses.replace(other, test=other.test[other.test["post_id"].isin(ids)])
        for name, other in results.comparators.items()
    }
    return dataclasses.replace(results, test=test, comparators=others)


CHANGES: dict[str, Change] = {
    "no operating points": drop_points,
    "no positives": drop_positives,
    "one class": keep_one_class,
    "no controls": lambda results: dataclasses.replace(results, controls=None),
    "empty controls": lambda results: dataclasses.replace(results, controls=results.controls.head(0)),
    "no comparators": lambda results: dataclasses.replace(results, comparators={}),
    "no temperature": lambda results: dataclasses.replace(results, temperature=None),
    "empty test": empty_test,
    "one post": keep_one_post,
    "no points, no controls": lambda results: dataclasses.replace(drop_points(results), controls=None),
    "nothing": drop_everything,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_run_gives_a_page_its_tables_and_a_card(change: Change, results: RunResults, tmp_path: Path) -> None:
    bare = change(results)
    html = write_report(bare, tmp_path / "report").read_text(encoding="utf-8")
    assert not re.search(r"\b(nan|NaN|None|inf)\b", re.sub(r"<script>.*</script>", "", html, flags=re.DOTALL))
    content = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert "performance" in content["tables"]
    assert "<h1>" in html
    assert write_model_card(bare, tmp_path / "MODEL_CARD.md").is_file()


def test_without_operating_points_the_page_says_so_and_still_shows_scores(results: RunResults) -> None:
    page = build_page(drop_points(results))
    names = {section.name: section for section in page.sections}
    assert "no operating point" in names["recall"].words[0]
    assert not page.cards
    assert {"other-thresholds", "decision", "calibration"} <= set(names)
    slider = names["other-thresholds"].slider
    assert slider is not None
    assert not any(part.has_point for part in slider.tables)
    assert "No operating point is marked." in render_html(page)


def test_without_positives_nothing_is_drawn_that_needs_them(results: RunResults) -> None:
    page = build_page(drop_positives(results))
    pictures = {picture.name for section in page.sections for picture in section.pictures}
    assert not pictures & {"figure-roc", "figure-precision-recall", "figure-recall-alerts"}
    names = {section.name: section for section in page.sections}
    assert names["other-thresholds"].slider is None
