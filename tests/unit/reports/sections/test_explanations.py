"""Numbers about explanations against plain counting and another library's bootstrap."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, ttest_rel

from reports.results import RunResults
from reports.sections.explained_posts import count_explained_posts
from reports.sections.explanation_estimates import STAGES, estimate_explanations
from reports.sections.explanations import (
    build_explanation_section,
    build_explanations,
    build_faithfulness,
    build_plausibility,
    build_word_order,
    collect_tables,
)
from screening.explain import plausibility, sanity

SHARES = ("1", "5", "10", "20", "50", "aopc")
KINDS = ("comprehensiveness", "sufficiency")


def make_faithfulness(results: RunResults, rng: np.random.Generator) -> pd.DataFrame:
    columns = {
        f"{kind}_{share}{suffix}": rng.normal(mean + 0.1 * i, 0.8, 90)
        for kind, mean in (("comprehensiveness", 1.0), ("sufficiency", 0.5))
        for i, share in enumerate(SHARES)
        for suffix in ("", "_random")
    }
    return pd.DataFrame({"post_id": results.test["post_id"].head(90), **columns, "n_words": 40, "n_draws": 5})


@pytest.fixture(scope="module")
def measured(results: RunResults) -> RunResults:
    rng = np.random.default_rng(1)
    ids = results.test["post_id"].head(30).tolist()
    single = pd.DataFrame({"post_id": ids, "rank_correlation": [np.nan, *rng.uniform(0, 1, 29)], "n_masked": 40})
    random = pd.concat(
        pd.DataFrame(
            {"post_id": ids, "stage": stage, "rank_correlation": rng.uniform(-0.2, 0.6, 30), "seed": np.arange(30) // 3}
        )
        for stage in STAGES
    )
    agreement = pd.DataFrame(
        {f"{name}{suffix}": rng.uniform(0, 1, 30) for name in plausibility.METRICS for suffix in ("", "_random")}
    )
    return dataclasses.replace(
        results,
        faithfulness=make_faithfulness(results, rng),
        single_words=single,
        random_models=random,
        plausibility=agreement.assign(post_id=ids),
    )


def test_reliability_is_a_share_of_posts_with_its_exact_interval(results: RunResults) -> None:
    table = build_explanations(results)
    assert table is not None
    (row,) = table.frame.to_dict("records")
    expected = binomtest(35, 40).proportion_ci(method="exact")  # every eighth of forty does not add up
    assert (row["reliable"], row["n_posts"]) == (35 / 40, 40)
    np.testing.assert_allclose([row["reliable_low"], row["reliable_high"]], [expected.low, expected.high])
    assert "was not measured here" in table.note


def test_reasons_of_unreliable_explanations_are_counted_by_post(results: RunResults) -> None:
    spans = results.explanations
    assert spans is not None
    reason = np.where(spans["is_reliable"], None, "too few steps")
    reasons = build_explanations(dataclasses.replace(results, explanations=spans.assign(unreliable_because=reason)))
    assert reasons is not None
    assert reasons.frame["unreliable_because"].tolist() == ["too few steps: 5"]


def test_faithfulness_is_the_mean_over_posts_beside_that_of_random_words(measured: RunResults) -> None:
    table, posts = build_faithfulness(measured), measured.faithfulness
    assert table is not None
    assert posts is not None
    assert len(table.frame) == len(SHARES)
    for share, row in zip(SHARES, table.frame.to_dict("records"), strict=True):
        for kind in KINDS:
            for suffix in ("", "_random"):
                assert row[f"{kind}{suffix}"] == pytest.approx(posts[f"{kind}_{share}{suffix}"].mean())
            assert row[f"{kind}_gain"] == pytest.approx(row[kind] - row[f"{kind}_random"])
            assert row[f"{kind}_gain_n"] == 90


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_of_a_gain_is_that_of_scipys_paired_test(measured: RunResults, kind: str) -> None:
    posts = measured.faithfulness
    assert posts is not None
    found = estimate_explanations(collect_tables(measured))[f"{kind}_gain"]
    expected = ttest_rel(posts[f"{kind}_aopc"], posts[f"{kind}_aopc_random"]).confidence_interval(0.95)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))


def test_word_order_leaves_posts_without_an_order_out_and_counts_the_rest(measured: RunResults) -> None:
    table, single, random = build_word_order(measured), measured.single_words, measured.random_models
    assert table is not None
    assert single is not None
    assert random is not None
    rows = table.frame.to_dict("records")
    assert len(rows) == 1 + len(STAGES)
    assert rows[0]["rank_correlation"] == pytest.approx(single["rank_correlation"].mean())
    assert [row["rank_correlation_n"] for row in rows] == [29, 30, 30, 30, 30]
    means = random.groupby("stage")["rank_correlation"].mean()
    assert [row["rank_correlation"] for row in rows[1:]] == pytest.approx([means[stage] for stage in STAGES])


def test_agreement_with_people_stands_beside_that_of_random_words(measured: RunResults) -> None:
    table, posts = build_plausibility(measured), measured.plausibility
    assert table is not None
    assert posts is not None
    for name, row in zip(plausibility.METRICS, table.frame.to_dict("records"), strict=True):
        assert row["marked"] == pytest.approx(posts[name].mean())
        assert row["gain"] == pytest.approx((posts[name] - posts[f"{name}_random"]).mean())
        assert row["marked_n"] == 30


def explain_highest(measured: RunResults, n_posts: int | None, *, without: int | None = None) -> RunResults:
    """Explain so many flagged posts, highest risk first; the one at ``without`` holds no word."""
    test = measured.test
    flagged = test[test["triage"] != "no_flag"].sort_values("risk_any_risk", ascending=False)["post_id"].iloc[:n_posts]
    if without is not None:
        flagged = flagged.drop(flagged.index[without])
    spans = pd.DataFrame(
        {"post_id": flagged, "head": "class:any_risk", "n_steps": 12, "delta_relative": 0.01, "is_reliable": True}
    )
    return dataclasses.replace(measured, explanations=spans)


@pytest.mark.parametrize(("without", "n_explained"), [(None, 16), (3, 15)])
def test_explanations_of_the_highest_risk_are_not_called_those_of_all_flagged_posts(
    measured: RunResults, without: int | None, n_explained: int
) -> None:
    n_flagged = int((measured.test["triage"] != "no_flag").sum())
    section = build_explanation_section(explain_highest(measured, 16, without=without))
    assert section is not None
    name = f"the 16 of highest risk of {n_flagged} flagged test posts"
    assert {table.split for table in section.tables} == {name}
    assert all("posts like these" in table.note for table in section.tables)
    assert name in section.pictures[0].svg
    assert section.tables[0].frame["n_posts"].tolist() == [n_explained]


@pytest.mark.parametrize("without", [None, 3])
def test_explanations_of_all_flagged_posts_are_called_so(measured: RunResults, without: int | None) -> None:
    section = build_explanation_section(explain_highest(measured, None, without=without))
    assert section is not None
    assert {table.split for table in section.tables} == {"flagged test posts"}
    assert not any("posts like these" in table.note for table in section.tables)


def test_valence_is_explained_in_the_order_of_the_most_urgent_target(measured: RunResults) -> None:
    urgent = measured.taxonomy.targets[0].name
    flagged = measured.test[measured.test["triage"] != "no_flag"].nlargest(7, f"risk_{urgent}")
    spans = pd.DataFrame({"post_id": flagged["post_id"], "head": "valence"})
    posts = count_explained_posts(dataclasses.replace(measured, explanations=spans))
    assert posts is not None
    assert (posts.n_reached, posts.n_explained) == (7, 7)


def test_explained_posts_that_these_scores_do_not_flag_are_not_counted_among_the_flagged(measured: RunResults) -> None:
    nobody = dataclasses.replace(measured, test=measured.test.assign(triage="no_flag"))
    assert count_explained_posts(nobody) is None
    assert count_explained_posts(dataclasses.replace(measured, explanations=None)) is None


def test_stages_are_those_of_the_library() -> None:
    assert STAGES == sanity.STAGES


def test_what_was_not_measured_is_not_shown(results: RunResults, measured: RunResults) -> None:
    assert build_faithfulness(results) is build_word_order(results) is build_plausibility(results) is None
    section = build_explanation_section(measured)
    assert section is not None
    names = ["explanations", "faithfulness", "word_order", "plausibility"]
    assert [table.name for table in section.tables] == names
    assert "was not measured here" not in section.tables[0].note
    assert build_explanation_section(dataclasses.replace(results, explanations=None)) is None
    assert set(estimate_explanations(collect_tables(results))) == {"reliable_any_risk"}


def test_the_picture_says_in_words_what_it_shows(measured: RunResults) -> None:
    section, table = build_explanation_section(measured), build_faithfulness(measured)
    assert section is not None
    assert table is not None
    (picture,) = section.pictures
    mean = table.frame.iloc[-1]
    for name in ("comprehensiveness", "comprehensiveness_random"):
        assert f"{mean[name]:.2f}" in picture.description
    assert picture.svg.startswith("<svg")


def test_the_page_says_that_words_are_no_reasons_and_shows_none(measured: RunResults) -> None:
    section = build_explanation_section(measured)
    assert section is not None
    assert "not reasons" in section.words[0]
    assert not any("post_id" in table.frame for table in section.tables)
