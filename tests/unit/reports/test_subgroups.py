"""Groups of posts: counts against pandas, and what must not be shown."""

import dataclasses

import pandas as pd
import pytest

from reports.results import RunResults
from reports.subgroups import MIN_POSITIVES, build_subgroups
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
