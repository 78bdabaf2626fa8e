import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from reports.assembly import build_page
from reports.results import RunResults
from reports.sections.errors import build_error_facts, build_error_section, build_taken_for
from screening.data.text_facts import FACTS


def mark(results: RunResults, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Label and flag by hand, from the threshold alone."""
    point = results.point_by_target[target]
    y_true = np.array([label in point.labels for label in results.test["label"]])
    return y_true, (results.test[f"risk_{target}"] >= point.threshold).to_numpy()


@pytest.fixture(scope="module")
def with_facts(results: RunResults) -> RunResults:
    """The made run with a lower recall, random facts, and one fact that every missed post of any_risk has."""
    points = tuple(
        point.model_copy(update={"threshold": 0.5 if point.name == "any_risk" else point.threshold})
        for point in results.operating_points
    )
    results = dataclasses.replace(results, operating_points=points)
    generator = np.random.default_rng(4)
    facts = pd.DataFrame({name: generator.random(len(results.test)) < 0.3 for name in FACTS})
    y_true, flags = mark(results, "any_risk")
    facts["question"] |= y_true & ~flags
    facts["phrase_any_risk"] = generator.random(len(results.test)) < 0.5
    facts.insert(0, "post_id", results.test["post_id"])
    return dataclasses.replace(results, text_facts=facts.sample(frac=1, random_state=1))


@pytest.mark.parametrize("errors", ["missed posts", "false alarms"])
def test_facts_are_counted_and_compared_within_label(with_facts: RunResults, errors: str) -> None:
    table = build_error_facts(with_facts)
    assert table is not None
    assert with_facts.text_facts is not None
    rows = table.frame[(table.frame["target"] == "any_risk") & (table.frame["errors"] == errors)]
    y_true, flags = mark(with_facts, "any_risk")
    groups = (y_true & ~flags, y_true & flags) if errors == "missed posts" else (~y_true & flags, ~y_true & ~flags)
    facts = with_facts.test[["post_id"]].merge(with_facts.text_facts, on="post_id")
    assert len(rows) == len(FACTS) + 1
    for row in rows.itertuples():
        counts = [(int(facts.loc[group, row.fact].sum()), int(group.sum())) for group in groups]
        (a, n), (b, m) = counts
        assert (row.first, row.first_n, row.second, row.second_n) == (pytest.approx(a / n), n, pytest.approx(b / m), m)
        assert (row.first_low, row.first_high) == pytest.approx(proportion_confint(a, n, method="beta"), abs=1e-9)
        expected = confint_proportions_2indep(a, n, b, m, method="newcomb", compare="diff")
        assert (row.difference_low, row.difference_high) == pytest.approx(expected)
        assert row.ratio == pytest.approx(a / n / (b / m))
        assert row.p_value == pytest.approx(fisher_exact([[a, n - a], [b, m - b]]).pvalue)
    assert rows["p_corrected"].to_numpy() == pytest.approx(multipletests(rows["p_value"], method="holm")[1])
    assert rows["p_corrected"].is_monotonic_increasing


def test_only_what_chance_does_not_explain_is_shown_first(with_facts: RunResults) -> None:
    section = build_error_section(with_facts)
    assert section is not None
    shown = {table.name: table for table in section.tables}
    missed = shown["striking_facts"].frame
    assert missed.loc[(missed["errors"] == "missed posts"), "fact"].tolist() == ["question"]
    assert (missed["p_corrected"] <= 0.05).all()
    assert [table.name for table in section.folded] == ["error_facts"]
    assert "error_facts" in {table.name for table in build_page(with_facts).tables}


def test_groups_under_ten_posts_are_named_but_not_described(with_facts: RunResults) -> None:
    y_true, flags = mark(with_facts, "suicidewatch")
    n_missed = int((y_true & ~flags).sum())
    assert n_missed < 10
    table, section = build_error_facts(with_facts), build_error_section(with_facts)
    assert table is not None
    assert section is not None
    urgent = table.frame[table.frame["target"] == "suicidewatch"]
    assert set(urgent["errors"]) == {"false alarms"}
    noun = "missed post" if n_missed == 1 else "missed posts"
    assert f"suicidewatch: {n_missed} {noun}, too few to describe (under 10)." in section.words
    taken = build_taken_for(with_facts).frame
    assert set(taken.loc[taken["target"] == "suicidewatch", "errors"]) == {"false alarms"}


def test_missed_posts_are_counted_by_class_and_false_alarms_by_label(with_facts: RunResults) -> None:
    taken = build_taken_for(with_facts).frame
    y_true, flags = mark(with_facts, "any_risk")
    classes = with_facts.test.filter(regex="^prob_").idxmax(axis=1).str.removeprefix("prob_")
    for errors, kinds in (
        ("missed posts", classes[y_true & ~flags]),
        ("false alarms", with_facts.test["label"][~y_true & flags]),
    ):
        rows = taken[(taken["target"] == "any_risk") & (taken["errors"] == errors)].set_index("kind")
        assert rows["n_posts"].to_dict() == kinds.value_counts().to_dict()
        for row in rows.itertuples():
            low, high = proportion_confint(row.n_posts, len(kinds), method="beta")
            assert (row.share, row.share_low, row.share_high) == pytest.approx((row.n_posts / len(kinds), low, high))


def test_runs_without_facts_or_points_say_so(results: RunResults, with_facts: RunResults) -> None:
    section = build_error_section(results)
    assert section is not None
    assert "not measured" in section.words[0]
    assert build_error_section(dataclasses.replace(with_facts, operating_points=())) is None
    assert with_facts.text_facts is not None
    other = dataclasses.replace(with_facts, text_facts=with_facts.text_facts.head(3))
    assert build_error_facts(other) is None
