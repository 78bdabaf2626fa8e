import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.config import DataConfig
from screening.data.splitting import carve_splits, find_author_conflicts, plan_splits
from screening.exceptions import ConfigError, SchemaError

SHARES = {"train": 0.6, "validation": 0.1, "calibration": 0.15, "test": 0.15}


@pytest.mark.parametrize(
    ("present", "keep", "kept", "carved"),
    [
        ({"all"}, ("train", "validation", "test"), (), {"train", "validation", "calibration", "test"}),
        ({"train", "validation", "test"}, ("train", "validation", "test"), ("validation", "test"),
         {"train", "calibration"}),
        ({"train", "validation", "test"}, ("test",), ("test",), {"train", "validation", "calibration"}),
        ({"train", "validation", "test"}, ("train", "test"), ("train", "test"), {"validation", "calibration"}),
        ({"train", "test"}, ("train", "test"), ("test",), {"train", "validation", "calibration"}),
        ({"train", "validation", "calibration", "test"}, ("train", "validation", "calibration", "test"),
         ("train", "validation", "calibration", "test"), set()),
    ],
)  # fmt: skip
def test_plan_keeps_what_is_asked_and_carves_the_rest(present, keep, kept, carved):
    plan = plan_splits(present, DataConfig(keep_splits=keep))
    assert plan.kept == kept
    assert set(plan.carved) == carved
    assert not carved or sum(plan.carved.values()) == pytest.approx(1)


def test_calibration_is_the_configured_share_of_train_when_all_official_splits_are_kept():
    plan = plan_splits({"train", "validation", "test"}, DataConfig(calibration_fraction=0.15))
    assert plan.carved == pytest.approx({"train": 0.85, "calibration": 0.15})


def test_a_kept_train_split_leaves_the_pool_to_the_missing_splits_in_proportion():
    config = DataConfig(keep_splits=("train", "test"), validation_fraction=0.1, calibration_fraction=0.3)
    plan = plan_splits({"train", "validation", "test"}, config)
    assert plan.carved == pytest.approx({"validation": 0.25, "calibration": 0.75})
    assert [plan.find_rank(split) for split in ("train", "validation", "test")] == [0, 1, 3]


def test_fractions_that_leave_nothing_to_train_on_are_refused():
    config = DataConfig(validation_fraction=0.4, calibration_fraction=0.4, test_fraction=0.3)
    with pytest.raises(ConfigError, match="leave posts to train on"):
        plan_splits({"all"}, config)


def test_a_source_without_posts_to_carve_from_is_refused():
    with pytest.raises(ConfigError, match="have to be carved"):
        plan_splits({"test"}, DataConfig(keep_splits=("test",)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16), st.integers(60, 300), st.integers(1, 80))
def test_no_author_stands_in_two_splits(seed, n_posts, n_authors):
    rng = np.random.default_rng(seed)
    labels = pd.Series(rng.choice(["a", "b", "c"], size=n_posts))
    authors = pd.Series(rng.integers(0, n_authors, size=n_posts)).map(lambda i: f"author-{i}" if i else None)
    try:
        splits = carve_splits(labels, authors, SHARES, rng)
    except SchemaError:  # fewer authors than splits
        return
    assert (pd.DataFrame({"author": authors, "split": splits}).groupby("author")["split"].nunique() == 1).all()


def test_label_counts_are_within_one_of_their_share_without_authors():
    rng = np.random.default_rng(3)
    labels = pd.Series(rng.choice(["a", "b", "c"], size=997, p=[0.7, 0.25, 0.05]))
    splits = pd.Series(carve_splits(labels, None, SHARES, rng))
    counts = pd.crosstab(splits, labels)
    for split, share in SHARES.items():
        assert (np.abs(counts.loc[split] - share * labels.value_counts()) < 1).all()


def test_label_shares_are_close_with_many_small_groups():
    rng = np.random.default_rng(4)
    labels = pd.Series(rng.choice(["a", "b", "c"], size=2000, p=[0.6, 0.25, 0.15]))
    authors = pd.Series(rng.zipf(1.6, size=2000).clip(max=700).astype(str))
    counts = pd.crosstab(pd.Series(carve_splits(labels, authors, SHARES, rng)), labels)
    wanted = np.outer([SHARES[split] for split in counts.index], labels.value_counts().sort_index())
    assert (np.abs(counts.to_numpy() - wanted) / wanted).max() < 0.5  # one author holds a fifth of all posts


def test_the_same_seed_gives_the_same_splits_and_another_does_not():
    labels = pd.Series(["a", "b"] * 100)
    first, again, other = (carve_splits(labels, None, SHARES, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_too_few_posts_are_refused():
    with pytest.raises(SchemaError, match="too few"):
        carve_splits(pd.Series(["a", "b"]), None, SHARES, np.random.default_rng(0))


def test_authors_lose_their_posts_in_the_later_split():
    authors = pd.Series(["x", "x", "y", None, None, "z", "z"], index=[9, 8, 7, 6, 5, 4, 3])
    marks = find_author_conflicts(authors, np.array([0, 3, 3, 0, 3, 1, 1]))
    assert marks.tolist() == [False, True, False, False, False, False, False]
