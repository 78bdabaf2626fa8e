"""Agreement with what people marked: worked numbers, limits, and scikit-learn's average precision."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from screening.explain.aggregation import WordWeight
from screening.explain.plausibility import METRICS, compute_plausibility, mark_human_words

RNG = np.random.default_rng(0)


def make_post(weights: list[float]) -> list[WordWeight]:
    """Words of two characters each, with a space between them."""
    return [WordWeight(3 * i, 3 * i + 2, weight) for i, weight in enumerate(weights)]


def span(first: int, last: int) -> tuple[int, int]:
    """Characters of the words ``first`` to ``last``."""
    return 3 * first, 3 * last + 2


def test_words_that_people_marked_get_full_agreement() -> None:
    post = make_post([0, 0, 5, 4, 0, 0, 0, 3])
    table = compute_plausibility([post], [[span(2, 3), span(7, 7)]], rng=RNG)
    assert table[list(METRICS)].iloc[0].tolist() == [1, 1, 1]
    assert table[["n_words", "n_human", "n_marked"]].iloc[0].tolist() == [8, 3, 3]


def test_a_worked_post() -> None:
    """Marked: words 0, 1, 5. People: 1, 2, 5. The run 0-1 shares one word of three with 1-2; 5 is found."""
    post = make_post([5, 4, 0, 0, 0, 3])
    (row,) = compute_plausibility([post], [[span(1, 2), span(5, 5)]], rng=RNG).to_dict("records")
    assert row["token_f1"] == pytest.approx(2 / 3)
    assert row["iou_f1"] == pytest.approx(2 * 1 / (2 + 2))


def test_half_of_the_union_is_enough_and_less_is_not() -> None:
    two = [[span(0, 1)]]
    found = compute_plausibility([make_post([2, 3, 0, 0])], two, rng=RNG)
    half = compute_plausibility([make_post([3, 0, 2, 0])], two, rng=RNG)  # the runs 0 and 2; 0 is half of 0-1
    none = compute_plausibility([make_post([0, 0, 2, 3])], two, rng=RNG)
    assert [table["iou_f1"][0] for table in (found, half, none)] == [1, pytest.approx(2 / 3), 0]


def test_every_post_marks_the_share_that_people_mark_on_average() -> None:
    posts = [make_post([1.0, 0.5, 0.2, 0.1]), make_post([1.0, 0.5, 0.2, 0.1])]
    table = compute_plausibility(posts, [[span(0, 2)], [span(0, 0)]], rng=RNG)  # shares 3/4 and 1/4
    assert table["n_marked"].tolist() == [2, 2]
    assert table["token_f1"].tolist() == [pytest.approx(0.8), pytest.approx(2 / 3)]


def test_f1_and_average_precision_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        weights, human = rng.normal(size=30), rng.random(30) < 0.3
        spans = [span(i, i) for i in np.flatnonzero(human)]
        table = compute_plausibility([make_post(weights.tolist())], [spans], rng=rng, n_draws=1)
        marked = weights >= np.sort(weights)[::-1][human.sum() - 1]
        assert table["token_f1"][0] == pytest.approx(f1_score(human, marked))
        assert table["average_precision"][0] == pytest.approx(average_precision_score(human, weights))


def test_random_words_agree_as_chance_has_it() -> None:
    """A third of the words marked by people and by chance: the expected F1 is a third."""
    post = make_post(np.linspace(1, 0, 30).tolist())
    table = compute_plausibility([post], [[span(0, 9)]], rng=np.random.default_rng(0), n_draws=2_000)
    # hypergeometric: 10 of 30 against 10 of 30 has mean 10/3 and standard deviation 1.24; over 10, over sqrt(2000)
    assert table["token_f1_random"][0] == pytest.approx(1 / 3, abs=4 * 0.124 / math.sqrt(2_000))
    assert table["token_f1"][0] == 1


def test_a_post_without_human_words_has_no_agreement_and_does_not_count_for_the_share() -> None:
    posts = [make_post([1.0, 0.5]), make_post([1.0, 0.5]), []]
    table = compute_plausibility(posts, [[span(0, 0)], [(1_000, 1_001)], [(0, 2)]], rng=RNG)
    assert table["n_marked"].tolist() == [1, 1, 0]
    assert table.loc[1:, "token_f1"].isna().all()


def test_a_span_marks_every_word_it_touches() -> None:
    assert mark_human_words(make_post([0.0] * 4), [(4, 7)]).tolist() == [False, True, True, False]


def test_no_posts_give_no_rows() -> None:
    assert compute_plausibility([], [], rng=RNG).empty
