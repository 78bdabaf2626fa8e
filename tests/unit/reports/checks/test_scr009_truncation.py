"""SCR009: what stands after the window is not read."""

import dataclasses

from reports.checks.splits import check_truncation
from reports.results import RunResults


def test_many_cut_posts_warn(results: RunResults) -> None:
    assert check_truncation(dataclasses.replace(results, test=results.test.assign(is_truncated=True))).outcome == "warn"


def test_few_cut_posts_are_noticed(results: RunResults) -> None:
    assert check_truncation(results).outcome == "notice"


def test_posts_read_to_the_end_pass(results: RunResults) -> None:
    whole = results.test.assign(is_truncated=False)
    assert check_truncation(dataclasses.replace(results, test=whole)).outcome == "pass"


def test_the_rest_of_a_cut_post_is_read_by_a_word_model_alone(results: RunResults) -> None:
    both = dataclasses.replace(results, run_info=results.run_info | {"words_weight": 1.3})
    assert check_truncation(results).sentence.endswith("the rest is not read.")
    assert check_truncation(both).sentence.endswith("only the TF-IDF model reads the rest.")
