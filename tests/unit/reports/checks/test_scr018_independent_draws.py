"""SCR018: posts of one author are no independent draws, and a promise that takes them for it is too optimistic."""

import dataclasses

from reports.checks.promise import check_independent_draws
from reports.results import RunResults


def with_authors(results: RunResults, n_posts: int, n_authors: int | None) -> RunResults:
    splits = {"calibration": {"n_posts": n_posts, "n_authors": n_authors}}
    return dataclasses.replace(results, data_card=results.data_card | {"splits": splits})


def test_several_posts_of_one_author_warn_with_both_numbers(results: RunResults) -> None:
    check = check_independent_draws(with_authors(results, 520, 400))
    assert check.outcome == "warn"
    assert "520 calibration posts come from 400 known authors" in check.sentence


def test_data_without_authors_leave_it_open(results: RunResults) -> None:
    assert check_independent_draws(with_authors(results, 520, None)).outcome == "not_measured"
    assert check_independent_draws(results).outcome == "not_measured"


def test_without_operating_points_nothing_is_promised(results: RunResults) -> None:
    assert check_independent_draws(dataclasses.replace(results, operating_points=())).outcome == "not_applicable"


def test_one_post_each_passes(results: RunResults) -> None:
    assert check_independent_draws(with_authors(results, 520, 520)).outcome == "pass"


def test_a_promise_that_counts_authors_passes(results: RunResults) -> None:
    by_author = tuple(point.model_copy(update={"unit": "author"}) for point in results.operating_points)
    made = dataclasses.replace(with_authors(results, 520, 400), operating_points=by_author)
    assert check_independent_draws(made).outcome == "pass"
