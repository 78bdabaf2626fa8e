"""What stands on top of a report, counted again from the scores."""

import dataclasses

import pandas as pd

from reports.model_card.metadata import build_metadata
from reports.results import RunResults, extract_scores
from reports.sections.answer import build_answer
from reports.tables import format_prose


def flag(results: RunResults, scores: pd.DataFrame, levels: tuple[str, ...]) -> pd.Series:
    """Flag posts that any operating point of these levels flags."""
    targets = {target.name: target for target in results.targets}
    flags = pd.Series(data=False, index=scores.index)
    for point in results.operating_points:
        if point.triage in levels:
            flags |= pd.Series(extract_scores(scores, targets[point.name]) >= point.threshold, index=scores.index)
    return flags


def test_the_answer_ends_with_what_all_targets_cost_together(results: RunResults) -> None:
    *_, queue = build_answer(results)
    read, first = (1_000 * flag(results, results.test, levels).mean() for levels in (("refer", "review"), ("refer",)))
    hours = read * results.config.report.minutes_per_post / 60
    expected = [format_prose(float(value), "number") for value in (read, first, hours)]
    assert f"{expected[0]} of the test split ({expected[1]} before all others, {expected[2]} reviewer hours)" in queue
    assert read > first > 0


def test_one_target_costs_what_its_own_sentence_says(results: RunResults) -> None:
    alone = dataclasses.replace(results, operating_points=results.operating_points[:1])
    assert not any("any target" in sentence for sentence in build_answer(alone))


def test_one_of_two_targets_without_test_posts_is_said_and_has_no_numbers(results: RunResults) -> None:
    test = results.test[results.test["label"] != "suicidewatch"]
    without = dataclasses.replace(results, test=test)
    sentences = build_answer(without)
    assert any("the test split holds no such post" in sentence for sentence in sentences)
    card = build_metadata(without).to_yaml()
    assert "nan" not in "".join((*sentences, card))
    assert "recall of any_risk" in card
