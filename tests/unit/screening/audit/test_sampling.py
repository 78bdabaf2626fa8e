import numpy as np
import pandas as pd
import pytest

from screening.audit.sampling import FAR, FLAGGED, NEAR, Stratum, allocate_reading, draw_audit_sample


def make_posts(n: int = 100, n_flagged: int = 20, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Posts p000, p001, … with distinct scores; the highest are flagged."""
    scores = np.random.default_rng(seed).permutation(n) / n
    return pd.DataFrame({"post_id": [f"p{i:03d}" for i in range(n)], "score": scores}), scores >= 1 - n_flagged / n


def draw(posts, flags, n=40, seed=1, **options):
    return draw_audit_sample(posts, flags, n, rng=np.random.default_rng(seed), **options)


def ids_of(sample, stratum: str) -> set[str]:
    return set(sample.table.loc[sample.table["stratum"] == stratum, "post_id"])


def test_near_posts_are_exactly_the_unflagged_ones_with_the_highest_scores():
    posts, flags = make_posts()
    sample = draw(posts, flags)
    expected = posts[~flags].nlargest(4, "score")["post_id"]
    assert ids_of(sample, NEAR) == set(expected)


def test_strata_divide_the_posts_and_no_flagged_post_is_drawn_as_unflagged():
    posts, flags = make_posts()
    sample = draw(posts, flags)
    assert ids_of(sample, FLAGGED) == set(posts.loc[flags, "post_id"])
    assert not (ids_of(sample, NEAR) | ids_of(sample, FAR)) & set(posts.loc[flags, "post_id"])
    assert sample.flagged == Stratum(name=FLAGGED, n_posts=20, n_sampled=20)
    assert sample.unflagged == (
        Stratum(name=NEAR, n_posts=4, n_sampled=4),
        Stratum(name=FAR, n_posts=76, n_sampled=36),
    )
    assert sample.table["post_id"].is_unique
    assert len(sample.table) == 20 + 40


def test_table_gives_the_inclusion_probability_of_every_post():
    sample = draw(*make_posts(), n_flagged_to_read=5)
    shown = sample.table.groupby("stratum")["inclusion_probability"].agg(["min", "max"])
    assert shown.loc[FLAGGED].tolist() == [5 / 20] * 2
    assert shown.loc[NEAR].tolist() == [1.0] * 2
    assert shown.loc[FAR].tolist() == [36 / 76] * 2


def test_the_same_seed_draws_the_same_posts_whatever_their_order():
    posts, flags = make_posts()
    order = np.random.default_rng(9).permutation(len(posts))
    pd.testing.assert_frame_equal(draw(posts, flags).table, draw(posts.iloc[order], flags[order]).table)
    assert not draw(posts, flags).table.equals(draw(posts, flags, seed=2).table)


def test_every_far_post_is_drawn_as_often_as_its_inclusion_probability_says():
    """250 draws: the standard error of a frequency is .0316; four and a half of them for 76 posts at once."""
    posts, flags = make_posts()
    counts = pd.Series(0, index=posts["post_id"])
    rng = np.random.default_rng(3)
    for _ in range(250):
        sample = draw_audit_sample(posts, flags, 40, rng=rng)
        counts[list(ids_of(sample, FAR))] += 1
    drawn = counts[counts > 0] / 250
    assert len(drawn) == 76
    assert np.abs(drawn - 36 / 76).max() < 4.5 * 0.0316


def test_rows_stand_in_an_order_that_does_not_tell_the_stratum():
    strata = draw(*make_posts(1_000, 200), n=400).table["stratum"]
    halves = strata.iloc[:300], strata.iloc[300:]
    assert all((half == FLAGGED).mean() == pytest.approx(1 / 3, abs=0.1) for half in halves)


def test_ties_at_the_edge_of_the_near_stratum_are_broken_by_id():
    posts = pd.DataFrame({"post_id": list("dcba"), "score": [0.1] * 4})
    assert ids_of(draw(posts, np.zeros(4, dtype=bool), n=2, near_share=0.5), NEAR) == {"a"}


def test_a_near_share_of_zero_is_a_simple_random_sample():
    assert allocate_reading(100, 30, 0.0) == (0, 30)
    assert ids_of(draw(*make_posts(), near_share=0.0), NEAR) == set()


@pytest.mark.parametrize("arguments", [(10, 11, 0.1), (10, -1, 0.1), (10, 5, 1.0), (10, 5, -0.1)])
def test_impossible_readings_are_refused(arguments):
    with pytest.raises(ValueError, match="n_to_read"):
        allocate_reading(*arguments)


def test_more_flagged_posts_than_there_are_cannot_be_read():
    with pytest.raises(ValueError, match="n_sampled <= n_posts"):
        draw(*make_posts(), n_flagged_to_read=21)
