"""What stands on top of a report, counted again from the scores."""

import dataclasses

import pandas as pd

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
