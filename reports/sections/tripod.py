"""Where the report answers the items of TRIPOD+AI, and which it leaves open: the answer follows the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from reports.page import Section
from reports.sections.data_flow import read_data_facts
from reports.sections.subgroups import find_group_columns
from reports.sections.tripod_items import ITEMS
from reports.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reports.results import RunResults

State = Literal["answered", "in part", "not answered", "not applicable"]
FIXED = {"answer": "In short", "use-heading": "What it is for, and what not", "checks": "Checks",
         "provenance": "Where this comes from"}  # fmt: skip
BY_COMMUNITY = ("reddit2013", "swmh", "synthetic")
WRITE_IT = "A run cannot know it: write it outside the markers of MODEL_CARD.md."


@dataclass(frozen=True)
class Answer:
    """Whether an item is answered, in which section of the page (empty: nowhere), and in which words."""

    state: State
    where: str
    words: str


def build_tripod_section(results: RunResults, sections: Iterable[Section]) -> Section:
    """Build the cross-reference; ``sections`` are those the page has, so that no answer points at a missing one."""
    table = build_tripod(results, sections)
    counts = Counter(table.frame["state"])
    words = (
        f"TRIPOD+AI asks {len(ITEMS)} questions of a study of a prediction model. Here: "
        f"{', '.join(f'{counts[state]} {state}' for state in STATES if counts[state])}. "
        "The table says where, and follows this run; it is no claim that a study is well done.",
    )
    left = table.frame[table.frame["state"] == "not answered"]
    points = tuple(f"{row['item']}, {row['asks']}: {row['words']}" for row in left.to_dict("records"))
    return Section("tripod", "TRIPOD+AI, item by item", words, points=points, points_heading="Not answered here",
                   folded=(table,))  # fmt: skip


STATES: tuple[State, ...] = ("answered", "in part", "not answered", "not applicable")


def build_tripod(results: RunResults, sections: Iterable[Section]) -> Table:
    """List every item with its state, the section that answers it, and what is said or left to do."""
    titles = FIXED | {section.name: section.title for section in sections}
    rows = []
    for number, answer in answer_items(results, set(titles)).items():
        record: dict[str, object] = {"item": number, "asks": ITEMS[number], "state": answer.state}
        rows.append(record | {"words": answer.words, "where": answer.where, "section": titles.get(answer.where)})
    columns = (
        Column("item", "Item"),
        Column("asks", "Asks for"),
        Column("state", "State"),
        Column("section", "Where", link_key="where"),
        Column("words", "Answer, or what is left to do"),
    )
    note = "Items in our words; the checklist itself: Collins et al. 2024, BMJ 385:e078378."
    return Table("tripod", "TRIPOD+AI cross-reference", pd.DataFrame(rows), columns, "this run", note)


def answer_items(results: RunResults, names: set[str]) -> dict[str, Answer]:
    """Answer every item, in order, from what the run holds and from the sections the page has (``names``)."""
    parts = (
        _answer_introduction(results, names),
        _answer_data(results),
        _answer_outcome(results),
        _answer_methods(results, names),
        _answer_fairness(results, names),
        _answer_open_science(results),
        _answer_results(results, names),
        _answer_discussion(results, names),
    )
    given = {number: answer for part in parts for number, answer in part}
    return {number: given[number] for number in ITEMS}


def _answer_introduction(results: RunResults, names: set[str]) -> Iterator[tuple[str, Answer]]:
    yield (
        "1",
        Answer("answered", "answer", "The title and first paragraph name the screener, its targets and the posts."),
    )
    yield "2", Answer("in part", "answer", "The first paragraph sums up promise, finding and cost; a paper needs more.")
    beside = "comparators" if "comparators" in names else "use-heading"
    words = "Purpose, and simpler scorers on the same posts." if beside == "comparators" else "Purpose only."
    yield "3a", Answer("in part", beside, f"{words} Published models are not reviewed: cite them.")
    yield "3b", Answer("answered", "use-heading", "A stream of posts, read in order by trained people.")
    groups = ", ".join(find_group_columns(results.test, results))
    known = f"Groups here: {groups}. " if groups else "The posts carry no groups of people. "
    left = "Describe what is known about who posts, and who is read, where you use it."
    yield "3c", Answer("not answered", "", f"{known}{left}")
    both = "development and evaluation" + (", also on posts from elsewhere" if results.external is not None else "")
    yield "4", Answer("answered", "use-heading", f"This run is {both}.")


def _answer_data(results: RunResults) -> Iterator[tuple[str, Answer]]:
    facts, card = read_data_facts(results.data_card), results.data_card
    source = f"Source {results.config.data.source}, licence {card.get('licence', 'not recorded')}"
    yield "5a", Answer("in part", "data", f"{source}. How well these posts stand for your stream is not known.")
    if facts.first_date and facts.last_date:
        yield "5b", Answer("answered", "data", f"Posts from {facts.first_date} to {facts.last_date}; no follow-up.")
    else:
        yield "5b", Answer("not answered", "", "The posts carry no dates: name their column in data.date_column.")
    yield "6a", Answer("in part", "data", "Online communities, named by the labels; no care setting.")
    yield "6b", Answer("answered", "data", "Every filter, with what it dropped.")
    yield "6c", Answer("not applicable", "", "Posts, not patients.")
    yield "7", Answer("answered", "data", "Cleaning, duplicates, authors and splits, the same rules for every post.")
    yield (
        "11",
        Answer("answered", "data", "A post has one predictor, its text; posts without one are refused or counted."),
    )
    yield "18e", Answer("in part", "data", f"{source}; split digests in the data card. Say who may get your posts.")
    yield "20a", Answer("answered", "data", "Posts through every filter, and by split and label.")
    yield (
        "20b",
        Answer("in part", "data", "Labels by split. The posts carry no characteristics of the people who wrote."),
    )
    yield "21", Answer("answered", "data", "Posts and positives of each split; n stands beside every number.")


def _answer_outcome(results: RunResults) -> Iterator[tuple[str, Answer]]:
    yield "8a", Answer("answered", "use-heading", f"{results.taxonomy.label_meaning} No time horizon.")
    if results.config.data.source in BY_COMMUNITY:
        words = "The label is where a post was published, or how it was generated: nobody judged it."
        yield "8b", Answer("not applicable", "", words)
        yield "8c", Answer("not applicable", "", words)
    else:
        yield "8b", Answer("not answered", "", f"Who set the labels, with which training? {WRITE_IT}")
        yield "8c", Answer("not answered", "", f"Did they know anything but the post? {WRITE_IT}")
    yield "9a", Answer("answered", "provenance", "The text of the post and nothing else.")
    yield "9b", Answer("answered", "provenance", _describe_reading(results))
    yield "9c", Answer("not applicable", "", "The text is read by a program.")


def _describe_reading(results: RunResults) -> str:
    """Say what reads how much of a post."""
    model, long_posts = results.config.model, results.config.inference.long_posts
    how_much = f"the first {model.max_tokens} tokens"
    if long_posts == "windows":
        how_much = f"the whole post, in windows of {model.max_tokens} tokens whose outputs are averaged"
    words = " TF-IDF + logistic regression reads the whole post beside it." if results.has_word_model else ""
    return f"Read by {model.encoder}, {how_much}.{words}"


def _answer_methods(results: RunResults, names: set[str]) -> Iterator[tuple[str, Answer]]:
    if results.operating_points:
        yield (
            "10",
            Answer("in part", "recall", "Positives the promise needs and has; the training size is not justified."),
        )
        yield (
            "15",
            Answer("answered", "recall", "Class probabilities, a risk score per target, thresholds with a promise."),
        )
    else:
        yield (
            "10",
            Answer("not answered", "", "Nothing is promised. screening plan gives the positives a promise needs."),
        )
        yield "15", Answer("in part", "classification", "Class probabilities; there is no threshold.")
    yield "12a", Answer("answered", "data", "Train, validation, calibration and test, and what each is used for.")
    tfidf = ", and TF-IDF of words and pairs of words" if results.has_word_model else ""
    yield "12b", Answer("answered", "provenance", f"Word pieces of the encoder{tfidf}; no other transformation.")
    history = "training" if "training" in names else "provenance"
    chosen = "epoch and the word model's weight" if results.has_word_model else "epoch"
    words = f"Encoder, pooling, objective; {chosen} chosen on validation, judged on test. Settings were not searched."
    yield "12c", Answer("answered", history, words)
    shown = [name for name in ("calibration", "decision", "comparators") if name in names]
    words = "Recall, specificity, PPV, NPV, alerts, curves" + "".join(f", {name}" for name in shown) + "."
    yield "12e", Answer("answered", "recall", words)
    yield "12f", Answer("not applicable", "", "The model was not changed after it was evaluated.")
    yield "12g", Answer("answered", "provenance", "The bundle named there, through the code of screening score.")
    scaled = ", then temperature scaling on validation" if results.temperature is not None else ""
    yield "13", Answer("answered", "provenance", f"Class weights: {results.config.objective.class_weights}{scaled}.")
    if results.external is not None:
        yield "16", Answer("answered", "validation", "Posts from elsewhere beside the run's own.")
    else:
        words = "Development and test posts come from one source: nothing differs but chance. Set data.external."
        yield "16", Answer("in part", "data", words)
    yield "24", Answer("not applicable", "", "The model was not updated.")


def _answer_fairness(results: RunResults, names: set[str]) -> Iterator[tuple[str, Answer]]:
    columns = ", ".join(find_group_columns(results.test, results))
    by_author = any(point.unit == "author" for point in results.operating_points)
    if by_author or columns:
        words = "The promise counts authors." if by_author else "Posts of one author are taken as independent."
        yield "12d", Answer("in part", "subgroups", f"{words} Groups shown: {columns or 'none but length and time'}.")
        yield "23b", Answer("in part", "subgroups", "Recall and alerts by group, with intervals; no model of clusters.")
    else:
        words = "Posts count as independent, without groups: set calibration.unit or data.group_columns."
        yield "12d", Answer("not answered", "", words)
        yield "23b", Answer("not answered", "", "The posts carry no clusters: name columns in data.group_columns.")
    if any(point.groups for point in results.operating_points) and "alternatives" in names:
        yield "14", Answer("answered", "alternatives", "The recall is promised in each of the groups listed there.")
    elif columns:
        yield "14", Answer("in part", "subgroups", "Groups are measured, not equalised: see calibration.group_columns.")
    else:
        yield "14", Answer("not answered", "", "The posts carry no groups of people: nothing was measured or done.")
    state: State = "answered" if columns else "in part"
    words = "Intervals beside every number; groups under “Groups of posts”."
    yield "23a", Answer(state, "recall" if not columns else "subgroups", words)


def _answer_open_science(results: RunResults) -> Iterator[tuple[str, Answer]]:
    words = {
        "17": "Name the committee that approved the use of the posts, or waived consent.",
        "18a": "Name who paid, and their part.",
        "18b": "Declare interests.",
        "18c": "Say where the protocol is, or that there is none.",
        "18d": "Give register and number, or say that there is none.",
        "19": "Say who of those concerned took part in design, or that nobody did.",
    }
    for number, sentence in words.items():
        yield number, Answer("not answered", "", f"{sentence} {WRITE_IT}")
    commit = str(results.run_info.get("commit", "unknown"))
    if commit == "unknown":
        yield "18f", Answer("not answered", "", "The run does not know its commit: run it from a git checkout.")
    elif commit.endswith("+changes"):
        yield "18f", Answer("in part", "provenance", f"Apache-2.0; commit {commit}: files differed from it.")
    else:
        yield "18f", Answer("answered", "provenance", f"Apache-2.0; commit {commit}.")


def _answer_results(results: RunResults, names: set[str]) -> Iterator[tuple[str, Answer]]:
    where = "validation" if results.external is not None and "validation" in names else "data"
    yield "20c", Answer("in part", where, "Labels side by side; texts are not compared.")
    words = "The bundle: weights, tokenizer, temperature and thresholds in one folder, checked by digest."
    yield "22", Answer("answered", "provenance", words)


def _answer_discussion(results: RunResults, names: set[str]) -> Iterator[tuple[str, Answer]]:
    yield (
        "25",
        Answer("in part", "answer", "What the numbers mean, in words; earlier studies are for you to set beside."),
    )
    yield "26", Answer("answered", "caveats" if "caveats" in names else "checks", "Limits, and numbered checks.")
    marked = "posts read in several windows" if results.config.inference.long_posts == "windows" else "cut posts"
    refused = f"Empty and unreadable posts are refused by id, {marked} are marked."
    if results.robustness is not None:
        yield "27a", Answer("answered", "robustness", f"{refused} Typos and cuts were tried.")
    else:
        yield "27a", Answer("in part", "data", f"{refused} What typos and cuts cost was not measured.")
    yield "27b", Answer("answered", "use-heading", "A trained person reads every flagged post and decides.")
    words = "Audit unflagged posts (screening audit plan)"
    if results.external is None:
        words += ", and try posts from another place or time (data.external)"
    yield "27c", Answer("in part", "audit" if "audit" in names else "checks", f"{words}.")
