"""The TRIPOD+AI table: every item once, every pointer leads somewhere, and the answers follow the run."""

import dataclasses
import re

import pytest

from reports.page import Page
from reports.results import RunResults
from reports.sections.reading_order import build_sections
from reports.sections.tripod import FIXED, STATES, answer_items, build_tripod
from reports.sections.tripod_items import ITEMS

NUMBERED = {
    **dict.fromkeys(range(1, 28), 1), 3: 3, 5: 2, 6: 3, 8: 3, 9: 3, 12: 7, 18: 6, 20: 3, 23: 2, 27: 3,
}  # fmt: skip


def states(results: RunResults) -> dict[str, str]:
    names = {"recall", "alternatives", "subgroups", "comparators", "data", "caveats", "training"} | set(FIXED)
    return {number: answer.state for number, answer in answer_items(results, names).items()}


def test_the_27_items_of_the_statement_are_there_with_their_parts() -> None:
    assert len(ITEMS) == 52
    for number, n_parts in NUMBERED.items():
        parts = [item for item in ITEMS if re.fullmatch(rf"{number}[a-g]?", item)]
        expected = [f"{number}{letter}" for letter in "abcdefg"[:n_parts]] if n_parts > 1 else [str(number)]
        assert parts == expected


def words(results: RunResults) -> dict[str, str]:
    return {number: answer.words for number, answer in answer_items(results, set(FIXED)).items()}


@pytest.mark.parametrize("bare", [False, True])
def test_every_item_is_answered_once_and_points_only_at_sections_the_page_has(results: RunResults, bare: bool) -> None:
    chosen = results
    if bare:
        chosen = dataclasses.replace(
            results, run_info={}, data_card={}, history=results.history.head(0), temperature=None, controls=None,
            comparators={}, explanations=None, operating_points=(),
        )  # fmt: skip
    sections = build_sections(chosen)
    frame = build_tripod(chosen, sections).frame
    assert frame["item"].tolist() == list(ITEMS)
    assert set(frame["state"]) <= set(STATES)
    known = {section.name for section in sections} | set(FIXED)
    assert set(frame["where"]) - {""} <= known
    assert frame.loc[frame["state"].isin(["answered", "in part"]), "where"].ne("").all()
    assert frame.loc[frame["state"].isin(["not answered", "not applicable"]), "where"].eq("").all()
    assert frame["words"].str.endswith(".").all()


def test_what_no_run_can_know_is_never_answered(results: RunResults) -> None:
    found = states(results)
    assert {found[number] for number in ("17", "18a", "18b", "18c", "18d", "19")} == {"not answered"}


def test_external_posts_change_the_answer(results: RunResults) -> None:
    elsewhere = results.test.assign(post_id="elsewhere-" + results.test["post_id"])
    assert states(results)["16"] == "in part"
    assert states(dataclasses.replace(results, external=elsewhere))["16"] == "answered"


def test_groups_change_the_answer(results: RunResults) -> None:
    without = dataclasses.replace(results, test=results.test.drop(columns="community"))
    assert (states(results)["14"], states(results)["23a"]) == ("in part", "answered")
    assert (states(without)["14"], states(without)["23a"], states(without)["23b"]) == (
        "not answered", "in part", "not answered",
    )  # fmt: skip


def test_dates_and_a_clean_commit_change_the_answer(results: RunResults) -> None:
    assert (states(results)["5b"], states(results)["18f"]) == ("answered", "answered")
    info = results.run_info | {"commit": "1981637+changes"}
    other = dataclasses.replace(results, data_card={}, run_info=info)
    assert (states(other)["5b"], states(other)["18f"]) == ("not answered", "in part")


def test_labels_that_somebody_may_have_judged_are_asked_about(results: RunResults) -> None:
    own_file = results.config.model_copy(update={"data": results.config.data.model_copy(update={"source": "file"})})
    assert states(results)["8b"] == "not applicable"
    assert states(dataclasses.replace(results, config=own_file))["8b"] == "not answered"


def test_how_much_of_a_post_is_read_follows_the_run(results: RunResults) -> None:
    inference = results.config.inference.model_copy(update={"long_posts": "cut"})
    cut = dataclasses.replace(results, config=results.config.model_copy(update={"inference": inference}))
    assert "the whole post, in windows of 256 tokens" in words(results)["9b"]
    assert words(cut)["9b"].endswith("the first 256 tokens.")
    assert ("several windows are marked" in words(results)["27a"], "cut posts" in words(cut)["27a"]) == (True, True)


def test_an_ensemble_names_the_word_model(results: RunResults) -> None:
    both = dataclasses.replace(results, run_info=results.run_info | {"words_weight": 1.3})
    for number, said in (("9b", "TF-IDF"), ("12b", "TF-IDF"), ("12c", "word model's weight")):
        assert said in words(both)[number]
        assert said not in words(results)[number]


def test_the_page_counts_the_answers_and_lists_what_is_left(page: Page) -> None:
    (section,) = [section for section in page.sections if section.name == "tripod"]
    (table,) = section.folded
    counts = table.frame["state"].value_counts()
    for state, n in counts.items():
        assert f"{n} {state}" in section.words[0]
    assert len(section.points) == counts["not answered"]
