"""Caveats follow the run: a sentence stands where it holds and nowhere else."""

import dataclasses
from typing import Any

from reports.results import RunResults
from reports.sections.caveats import build_caveats
from reports.sections.recall import describe_promises


def words(results: RunResults) -> str:
    return " ".join(build_caveats(results))


def with_authors(results: RunResults, n_authors: int | None) -> RunResults:
    card: dict[str, Any] = {"splits": {"test": {"n_posts": 800, "n_authors": n_authors}}}
    return dataclasses.replace(results, data_card=results.data_card | card)


def test_several_posts_of_one_author_make_intervals_too_narrow(results: RunResults) -> None:
    said = words(with_authors(results, 500))
    assert "not independent (800 test posts by 500 known authors)" in said
    assert "and so does the promise" in said


def test_a_promise_that_counts_authors_is_not_called_too_optimistic(results: RunResults) -> None:
    by_author = tuple(point.model_copy(update={"unit": "author"}) for point in results.operating_points)
    said = words(dataclasses.replace(with_authors(results, 500), operating_points=by_author))
    assert "intervals treat them as if they were" in said  # those of what was found still do
    assert "so does the promise" not in said
    assert "a random post of a random author" in said


def test_posts_of_different_authors_need_no_word_about_authors(results: RunResults) -> None:
    assert "author" not in words(with_authors(results, 800))


def test_unknown_authors_are_named_as_unknown(results: RunResults) -> None:
    assert "do not say who wrote which post" in words(with_authors(results, None))


def test_cut_posts_are_counted_and_named_only_where_there_are_any(results: RunResults) -> None:
    n_cut = int(results.test["is_truncated"].sum())
    assert n_cut > 0
    assert f"{n_cut} of 800 test posts are longer" in words(results)
    whole = dataclasses.replace(results, test=results.test.assign(is_truncated=False))
    assert "longer than the model's window" not in words(whole)


def test_a_word_model_reads_long_posts_to_their_end(results: RunResults) -> None:
    assert "what stands after the cut is not read" in words(results)
    both = dataclasses.replace(results, run_info=results.run_info | {"words_weight": 1.3})
    assert "what stands after the cut is read by the TF-IDF model only" in words(both)
    split = results.test.assign(is_truncated=False, n_windows=2)
    assert "the mean over its windows, so" in words(dataclasses.replace(results, test=split))
    assert "its windows and on TF-IDF of the whole post" in words(dataclasses.replace(both, test=split))


def test_posts_from_elsewhere_and_controls_are_missed_only_where_they_are_missing(results: RunResults) -> None:
    assert "No posts from another place or time" in words(results)
    assert "No posts from outside the task" not in words(results)
    tried = dataclasses.replace(results, external=results.test, controls=None)
    assert "No posts from another place or time" not in words(tried)
    assert "No posts from outside the task" in words(tried)


def test_promises_that_share_their_confidence_are_not_called_less_sure(results: RunResults) -> None:
    assert "2 promises are made, each with 95% confidence" in words(results)
    shared = tuple(point.model_copy(update={"n_promises": 2}) for point in results.operating_points)
    assert "2 promises" not in words(dataclasses.replace(results, operating_points=shared))


def test_a_run_without_promise_keeps_the_rest(results: RunResults) -> None:
    said = words(dataclasses.replace(results, operating_points=()))
    assert "promise" not in said
    assert "recall of the label" in said


def test_the_promise_in_words_counts_what_the_promise_counts(results: RunResults) -> None:
    assert "true recall falls below" in " ".join(describe_promises(results))
    by_author = tuple(point.model_copy(update={"unit": "author"}) for point in results.operating_points)
    said = describe_promises(dataclasses.replace(results, operating_points=by_author))
    assert len(said) == 1
    assert "share of authors" in said[0]
    assert "true recall" not in said[0]
