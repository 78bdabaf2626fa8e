import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.metrics.decision_curve import compute_decision_curve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # dcurves imports its plots and survival models
    from dcurves import dca

POSTS = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=60)
THRESHOLDS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.99]


@pytest.mark.parametrize("seed", range(3))
def test_net_benefit_agrees_with_dcurves(seed):
    rng = np.random.default_rng(seed)
    y_true = rng.random(500) < 0.2
    y_prob = np.clip(0.2 + 0.3 * y_true + rng.normal(0, 0.2, 500), 0, 1)
    oracle = dca(
        data=pd.DataFrame({"y": y_true.astype(int), "model": y_prob}),
        outcome="y", modelnames=["model"], thresholds=THRESHOLDS,
    ).pivot_table(index="threshold", columns="model", values="net_benefit")  # fmt: skip
    ours = compute_decision_curve(y_true, y_prob, THRESHOLDS, split="test")
    assert ours["net_benefit"].to_numpy() == pytest.approx(oracle.loc[THRESHOLDS, "model"].to_numpy())
    assert ours["net_benefit_all"].to_numpy() == pytest.approx(oracle.loc[THRESHOLDS, "all"].to_numpy())
    assert ours["net_benefit_none"].to_numpy() == pytest.approx(oracle.loc[THRESHOLDS, "none"].to_numpy())
    assert (ours["n"] == 500).all()
    assert (ours["split"] == "test").all()


@given(POSTS, st.sampled_from(THRESHOLDS))
def test_net_benefit_counts_flags_at_or_above_the_threshold(posts, threshold):
    y_true, y_prob = np.array([y for y, _ in posts]), np.array([p for _, p in posts]) / 20
    flags = y_prob >= threshold
    expected = (y_true & flags).mean() - (~y_true & flags).mean() * threshold / (1 - threshold)
    row = compute_decision_curve(y_true, y_prob, [threshold], split="test").iloc[0]
    assert row["net_benefit"] == pytest.approx(expected)
    assert row["net_benefit"] <= y_true.mean() + 1e-12


def test_four_posts_by_hand():
    # At .5: one hit, one false alarm of four, at the price of 1: (1 - 1) / 4. All: (2 - 2) / 4.
    # At .2: two hits, one false alarm at a quarter: (2 - .25) / 4. All: (2 - .5) / 4.
    curve = compute_decision_curve([1, 1, 0, 0], np.array([0.9, 0.4, 0.6, 0.1]), [0.5, 0.2], split="test")
    assert curve["net_benefit"].tolist() == [0, 1.75 / 4]
    assert curve["net_benefit_all"].tolist() == [0, 1.5 / 4]


def test_bounds_are_those_of_a_mean_of_what_each_post_brings():
    rng = np.random.default_rng(5)
    y_true, y_prob = rng.random(300) < 0.3, rng.random(300)
    brings = np.where(y_prob >= 0.2, np.where(y_true, 1, -0.25), 0)
    row = compute_decision_curve(y_true, y_prob, [0.2], split="test").iloc[0]
    reach = 1.959964 * brings.std() / np.sqrt(300)
    assert (row["net_benefit_low"], row["net_benefit_high"]) == pytest.approx(
        (brings.mean() - reach, brings.mean() + reach), abs=1e-7
    )


def test_at_threshold_zero_flagging_costs_nothing_and_everything_is_flagged():
    curve = compute_decision_curve([1, 0, 0, 0], np.array([0.2, 0.0, 0.4, 0.9]), [0.0], split="test")
    assert curve["net_benefit"].tolist() == curve["net_benefit_all"].tolist() == [0.25]


def test_treating_all_is_worth_nothing_where_the_threshold_is_the_share_of_positives():
    curve = compute_decision_curve([1, 0, 0, 0], np.full(4, 0.25), [0.25], split="test")
    assert curve["net_benefit_all"].iloc[0] == pytest.approx(0)


def test_calibrated_probabilities_never_do_worse_than_all_or_none():
    rng = np.random.default_rng(1)
    y_prob = rng.beta(1, 4, 200_000)
    curve = compute_decision_curve(rng.random(y_prob.size) < y_prob, y_prob, THRESHOLDS, split="test")
    best = curve[["net_benefit_all", "net_benefit_none"]].max(axis=1)
    assert (curve["net_benefit"] >= best - 0.002).all()  # chance in 200,000 posts


def test_no_posts_have_no_net_benefit():
    curve = compute_decision_curve([], np.array([]), [0.1, 0.2], split="test")
    assert curve[["net_benefit", "net_benefit_all", "net_benefit_none"]].isna().all(axis=None)
    assert curve["n"].tolist() == [0, 0]
    assert compute_decision_curve([1], np.array([0.3]), [], split="test").empty


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold):
    with pytest.raises(ValueError, match=r"expected threshold probabilities in \[0, 1\)"):
        compute_decision_curve([1], np.array([0.3]), [threshold], split="test")
