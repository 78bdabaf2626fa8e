"""Recall beside other scorers, post by post, against statsmodels."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from reports.results import Comparator, RunResults
from reports.sections.comparators import build_paired_recall, build_promise_comparison


def flag_positives(results: RunResults, name: str) -> tuple[pd.Series, pd.Series]:
    """Flags of the screener and the comparator on the positives, by post id."""
    other = results.comparators["tfidf"]
    positives = results.test.loc[results.test["label"] == name, "post_id"]
    points = {point.name: point.threshold for point in other.operating_points}
    own = results.test.set_index("post_id")[f"risk_{name}"] >= results.point_by_target[name].threshold
    theirs = other.test.set_index("post_id")[f"risk_{name}"] >= points[name]
    return own.loc[positives], theirs.loc[positives]


def test_discordant_positives_and_p_agree_with_statsmodels(results: RunResults) -> None:
    row = build_paired_recall(results).frame.set_index("target").loc["suicidewatch"]
    own, theirs = flag_positives(results, "suicidewatch")
    table = pd.crosstab(own, theirs).reindex(index=[True, False], columns=[True, False], fill_value=0)
    assert [row["n_both"], row["n_only_a"], row["n_only_b"], row["n_neither"]] == table.to_numpy().ravel().tolist()
    assert row["p_value"] == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert row["difference_n"] == len(own)


def test_paired_difference_is_the_difference_of_the_recalls_in_the_table_above(results: RunResults) -> None:
    recall = build_promise_comparison(results).frame.set_index(["target", "scorer"])["recall"]
    for row in build_paired_recall(results).frame.itertuples():
        expected = recall[(row.target, "this screener")] - recall[(row.target, row.scorer)]
        assert row.difference == pytest.approx(expected)
        assert row.difference_low <= row.difference <= row.difference_high


def test_a_scorer_in_another_order_does_not_differ_from_itself(results: RunResults) -> None:
    twin = Comparator("twin", results.test.sample(frac=1, random_state=1), None, results.operating_points)
    frame = build_paired_recall(dataclasses.replace(results, comparators={"twin": twin})).frame
    assert (frame["difference"] == 0).all()
    assert (frame[["n_only_a", "n_only_b"]] == 0).all(axis=None)
    assert (frame["p_value"] == 1).all()


def test_a_scorer_without_these_controls_is_named(results: RunResults) -> None:
    twin = Comparator("twin", results.test, None, results.operating_points)
    table = build_promise_comparison(dataclasses.replace(results, comparators={"twin": twin}))
    assert table.note.endswith("No alerts on controls of twin: not all of these controls were scored there.")
    assert "No alerts on controls" not in build_promise_comparison(results).note


def test_a_rule_of_its_own_is_compared_beside_the_promise(results: RunResults) -> None:
    other = dataclasses.replace(
        results.comparators["tfidf"], rule_threshold={"any_risk": 0.5}, rule="score of one half or more"
    )
    frame = build_paired_recall(dataclasses.replace(results, comparators={"tfidf": other})).frame
    rows = frame[frame["target"] == "any_risk"]
    assert rows["decision"].tolist() == ["the same promise", "score of one half or more"]
    assert np.isfinite(rows["difference"]).all()


def test_an_earlier_run_with_another_promise_is_not_said_to_keep_the_same(results: RunResults) -> None:
    weaker = tuple(
        point.model_copy(update={"target_recall": 0.5, "confidence_level": 0.6}) for point in results.operating_points
    )
    earlier = Comparator("earlier run old", results.test, None, weaker)
    table = build_promise_comparison(dataclasses.replace(results, comparators={"old": earlier}))
    decisions = table.frame.loc[table.frame["scorer"] == "earlier run old", "decision"]
    assert set(decisions) == {"another promise: 50% at 60%"}
    assert "where the promise is another" in table.note
    assert "for the same promise" in build_promise_comparison(results).note
