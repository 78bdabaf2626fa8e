"""Groups of posts: counts against pandas, and what must not be shown."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from reports.results import RunResults
from reports.sections.recall import build_performance
from reports.sections.subgroups import MIN_POSITIVES, build_subgroups, choose_suppressed
from screening.config import load_config


def test_recall_in_a_group_agrees_with_counting_by_hand(results: RunResults) -> None:
    frame = build_subgroups(results).frame
    row = frame[(frame["group"] == "north") & (frame["target"] == "any_risk")].iloc[0]
    north = results.test[results.test["community"] == "north"]
    positives = north[north["label"] != "offmychest"]
    threshold = results.point_by_target["any_risk"].threshold
    assert row["n_positive"] == len(positives)
    assert row["recall"] == pytest.approx((positives["risk_any_risk"] >= threshold).mean())
    assert row["alerts_per_1000"] == pytest.approx(1000 * (north["risk_any_risk"] >= threshold).mean())


def test_small_groups_keep_their_name_and_nothing_else(results: RunResults) -> None:
    frame = build_subgroups(results).frame
    rare = frame[(frame["group"] == "rare") & (frame["target"] == "suicidewatch")].iloc[0]
    assert rare["is_suppressed"]
    numbers = frame.columns.difference(["grouping", "group", "target", "is_suppressed"])
    assert rare[numbers].isna().all()
    assert frame.loc[~frame["is_suppressed"], "n_positive"].min() >= MIN_POSITIVES


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_hidden_groups_are_two_at_least_and_together_no_small_cell(n_positive: list[int]) -> None:
    hidden = choose_suppressed(n_positive)
    chosen = [n for n, is_hidden in zip(n_positive, hidden, strict=True) if is_hidden]
    assert all(is_hidden for n, is_hidden in zip(n_positive, hidden, strict=True) if n < MIN_POSITIVES)
    if not any(n < MIN_POSITIVES for n in n_positive):
        assert not chosen
    elif not all(hidden):
        assert len(chosen) > 1
        assert sum(chosen) >= MIN_POSITIVES
        without_last = sorted(chosen)[:-1]
        is_needed = len(without_last) < 2 or sum(without_last) < MIN_POSITIVES
        assert is_needed or max(chosen) < MIN_POSITIVES, "no more is hidden than has to be"


@pytest.mark.parametrize(
    ("n_positive", "expected"),
    [
        ([40, 3, 12, 90], [False, True, True, False]),
        ([40, 3, 2, 90], [True, True, True, False]),  # 3 + 2 is still a small number
        ([40, 9, 8, 90], [False, True, True, False]),
        ([3], [True]),
        ([3, 50], [True, True]),
        ([0, 50, 60], [True, True, False]),
        ([10, 11], [False, False]),
    ],
)
def test_what_is_hidden_by_hand(n_positive: list[int], expected: list[bool]) -> None:
    assert choose_suppressed(n_positive) == expected


@pytest.mark.parametrize("quantity", ["n_positive", "alerts"])
@pytest.mark.parametrize("seed", range(4))
def test_hidden_numbers_cannot_be_worked_out_from_the_rest_of_the_page(
    quantity: str, seed: int, results: RunResults
) -> None:
    levels = np.random.default_rng(seed).choice(list("abcdef"), len(results.test), p=[0.4, 0.3, 0.2, 0.07, 0.02, 0.01])
    changed = dataclasses.replace(results, test=results.test.assign(community=levels), comparators={})
    frame, totals = build_subgroups(changed).frame, build_performance(changed).frame.set_index("target")
    frame = frame[frame["grouping"] == "community"]
    for target, part in frame.groupby("target"):
        hidden, shown = part[part["is_suppressed"]], part[~part["is_suppressed"]]
        if hidden.empty:
            continue
        if quantity == "n_positive":
            rest = totals.loc[target, "n_positive"] - shown["n_positive"].sum()
        else:
            flagged = (shown["alerts_per_1000"] * shown["n_samples"] / 1000).sum()
            rest = totals.loc[target, "alerts_per_1000"] * totals.loc[target, "n_samples"] / 1000 - flagged
        # What an attacker has: the hidden numbers add up to the rest. Each could still be anything from 0 to the rest.
        assert len(hidden) > 1
        assert rest >= MIN_POSITIVES
        lowest, highest = (
            linprog(side * np.eye(len(hidden))[0], A_eq=np.ones((1, len(hidden))), b_eq=[rest]).x[0] for side in (1, -1)
        )
        assert highest - lowest >= MIN_POSITIVES


def test_a_row_hidden_for_another_one_looks_like_that_one(results: RunResults) -> None:
    frame = build_subgroups(results).frame
    part = frame[(frame["grouping"] == "community") & (frame["target"] == "suicidewatch")].set_index("group")
    assert part["is_suppressed"].to_dict() == {"north": False, "rare": True, "south": True}
    assert part.loc["rare"].equals(part.loc["south"])


def test_groups_of_length_divide_the_posts_at_their_edges(results: RunResults) -> None:
    test = pd.concat([results.test] * 3, ignore_index=True).assign(n_tokens=25)
    test.loc[: len(results.test) - 1, "n_tokens"] = 26
    frame = build_subgroups(dataclasses.replace(results, test=test)).frame
    lengths = frame[(frame["grouping"] == "length") & (frame["target"] == "any_risk")].set_index("group")
    assert lengths["n_samples"].to_dict() == {
        "up to 25 tokens": 2 * len(results.test), "26 to 50 tokens": len(results.test),
    }  # fmt: skip


def test_the_author_is_never_a_group(results: RunResults) -> None:
    config = load_config(overrides=["data.author_column=writer", "data.group_columns=[writer, author_id, community]"])
    test = results.test.assign(writer="somebody", author_id="somebody")
    frame = build_subgroups(dataclasses.replace(results, config=config, test=test)).frame
    assert set(frame["grouping"]) == {"length", "window", "year", "community"}


def test_group_columns_a_source_brings_are_reported_without_being_configured(results: RunResults) -> None:
    config = load_config(overrides=["data.source=synthetic"])
    assert config.data.group_columns == ()
    style = ["negated", "first_person"] * (len(results.test) // 2)
    test = results.test.assign(post_style=style)
    table = build_subgroups(dataclasses.replace(results, config=config, test=test))
    assert set(table.frame["grouping"]) == {"length", "window", "year", "community", "post_style"}
    assert "Not grouped by" not in table.note


def test_a_group_that_follows_from_the_label_is_named_and_not_shown(results: RunResults) -> None:
    subreddit = results.test["label"].str.upper()
    by_label = dataclasses.replace(results, test=results.test.assign(subreddit=subreddit))
    table = build_subgroups(by_label)
    assert "subreddit" not in set(table.frame["grouping"])
    assert "Not grouped by subreddit: the label alone decides the group." in table.note
    two = subreddit.where(results.test.index % 2 == 0, subreddit + "_two")
    finer = dataclasses.replace(results, test=results.test.assign(subreddit=two))
    assert "subreddit" in set(build_subgroups(finer).frame["grouping"])


def test_a_column_of_names_makes_no_groups_and_is_said(results: RunResults) -> None:
    names = [f"person {i // 3}" for i in range(len(results.test))]
    table = build_subgroups(dataclasses.replace(results, test=results.test.assign(moderator=names)))
    assert "moderator" not in set(table.frame["grouping"])
    assert "Not grouped by moderator: fewer than 5 posts a group" in table.note
    assert not table.frame["group"].str.contains("person").any()
