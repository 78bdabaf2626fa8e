import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.exceptions import ConfigError
from screening.thresholds.scope import PromiseScope, build_scope


def make_posts(**columns: object) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"post_id": [f"p{i}" for i in range(n)], "label": "a"} | columns)


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=1, max_size=40), st.integers(0, 1_000), st.data())
def test_exactly_one_candidate_of_each_author_is_drawn(authors, seed, data):
    candidates = np.array(data.draw(st.lists(st.booleans(), min_size=len(authors), max_size=len(authors))))
    posts = make_posts(author_id=pd.Series([None if a is None else f"a{a}" for a in authors], dtype="str"))
    drawn = build_scope(posts, unit="author", rng=np.random.default_rng(seed)).draw(candidates)
    assert not (drawn & ~candidates).any()
    known = pd.Series(authors, dtype=object)[drawn].dropna()
    assert sorted(known) == sorted(
        {a for a, is_one in zip(authors, candidates, strict=True) if is_one and a is not None}
    )
    unknown = np.array([a is None for a in authors])
    assert (drawn[unknown] == candidates[unknown]).all()  # a post without an author is its own author


def test_each_of_an_authors_posts_is_as_likely_to_be_drawn():
    posts = make_posts(author_id=["x", "x", "y", "x", "y"])
    rng = np.random.default_rng(0)
    n = 3_000
    drawn = sum(build_scope(posts, unit="author", rng=rng).draw(np.ones(5, dtype=bool)).astype(int) for _ in range(n))
    # standard error below .0092 for shares of 1/3 and 1/2 of 3,000: four of them
    assert drawn / n == pytest.approx([1 / 3, 1 / 3, 1 / 2, 1 / 3, 1 / 2], abs=0.037)


def test_the_same_seed_draws_the_same_posts():
    posts = make_posts(author_id=list("aabbccddeeff"))
    every = np.ones(12, dtype=bool)
    first, again = (build_scope(posts, unit="author", rng=np.random.default_rng(7)).draw(every) for _ in range(2))
    assert (first == again).all()


def test_posts_are_all_drawn_where_posts_count():
    candidates = np.array([True, False, True])
    scope = build_scope(make_posts(author_id=["a", "a", "a"]), unit="post", rng=np.random.default_rng(0))
    assert (scope.draw(candidates) == candidates).all()
    assert scope.unit == "post"
    assert PromiseScope().unit == "post"


def test_a_group_of_another_split_is_covered_though_no_calibration_post_is_in_it():
    posts, earlier = make_posts(community=["south", "north"]), make_posts(community=["east", None, "south"])
    scope = build_scope(posts, group_columns=("community",), rng=np.random.default_rng(0), earlier=[earlier])
    found = {group: members.sum() for _, group, members in scope.iterate_groups()}
    assert found == {"east": 0, "north": 1, "south": 1}


def test_groups_come_in_order_and_a_missing_value_is_no_group():
    posts = make_posts(community=pd.Series(["south", None, "north", "south"], dtype="str"), era=["x", "x", "x", "x"])
    scope = build_scope(posts, group_columns=("community", "era"), rng=np.random.default_rng(0))
    found = [(column, group, members.tolist()) for column, group, members in scope.iterate_groups()]
    assert found == [
        ("community", "north", [False, False, True, False]),
        ("community", "south", [True, False, False, True]),
        ("era", "x", [True] * 4),
    ]


@pytest.mark.parametrize("absent", ["region", "author_id", "text"])
def test_an_absent_group_column_is_refused_with_those_present(absent):
    posts = make_posts(community=["a", "b"], author_id=["x", "y"])
    with pytest.raises(ConfigError, match=rf"names {absent}, .*columns present: community\. Add it"):
        build_scope(posts, group_columns=("community", absent), rng=np.random.default_rng(0))


def test_authors_cannot_be_drawn_without_an_author_column():
    with pytest.raises(ConfigError, match=r"no column author_id; columns present: post_id, label"):
        build_scope(make_posts(label=["a"]), unit="author", rng=np.random.default_rng(0))
