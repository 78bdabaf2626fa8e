import dataclasses

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from reports.assembly import build_page
from reports.results import RunResults
from reports.sections.robustness import build_robustness, build_robustness_section


@pytest.fixture(scope="module")
def changed(results: RunResults) -> RunResults:
    """The made run with two kinds of change: one moves scores a little, one cuts half of the posts' scores."""
    generator = np.random.default_rng(8)
    posts = results.test[results.test["label"] == "suicidewatch"]
    risks = [f"risk_{target.name}" for target in results.taxonomy.targets]
    typos = posts[["post_id", "label", *risks]].assign(perturbation="typos")
    typos[risks] = np.clip(typos[risks] + generator.normal(0, 0.1, (len(posts), len(risks))), 0, 1)
    half = posts.head(40)[["post_id", "label", *risks]].assign(perturbation="first_half")
    half.loc[half.index[:10], risks] = 0.0
    return dataclasses.replace(results, robustness=pd.concat([half, typos], ignore_index=True))


def test_recall_before_and_after_is_counted_on_the_same_posts(changed: RunResults) -> None:
    table = build_robustness(changed)
    assert table is not None
    assert changed.robustness is not None
    assert table.frame["perturbation"].tolist() == ["typos", "first_half"]  # in the order of the rules
    threshold = changed.point_by_target["suicidewatch"].threshold
    before = dict(zip(changed.test["post_id"], changed.test["risk_suicidewatch"], strict=True))
    for row in table.frame.itertuples():
        part = changed.robustness[changed.robustness["perturbation"] == row.perturbation]
        flags = [(before[post] >= threshold, risk >= threshold)
                 for post, risk in zip(part["post_id"], part["risk_suicidewatch"], strict=True)]  # fmt: skip
        n = len(flags)
        n_lost, n_gained = flags.count((True, False)), flags.count((False, True))
        n_before, n_after = (sum(pair[i] for pair in flags) for i in (0, 1))
        assert (row.n_posts, row.n_lost, row.n_gained) == (n, n_lost, n_gained)
        assert row.difference == pytest.approx((n_after - n_before) / n)
        assert row.difference_low <= row.difference <= row.difference_high
        for count, found in ((n_before, (row.before, row.before_low, row.before_high)),
                             (n_after, (row.after, row.after_low, row.after_high))):  # fmt: skip
            expected = (count / n, *proportion_confint(count, n, method="beta"))
            assert found == pytest.approx(expected, nan_ok=False, abs=1e-9)
        expected_p = mcnemar([[0, n_lost], [n_gained, 0]], exact=True).pvalue if n_lost + n_gained else 1.0
        assert row.p_value == pytest.approx(min(expected_p, 1.0))
    assert table.frame["n_lost"].tolist()[1] >= 8  # ten scores were set to 0, a few of those were missed before


def test_the_section_states_the_posts_and_the_texts_scored(changed: RunResults) -> None:
    section = build_robustness_section(changed)
    assert changed.robustness is not None
    words = " ".join(section.words)
    assert "all test posts of suicidewatch" in words
    assert f"{len(changed.robustness):,} texts scored" in words
    assert "may be right" in words
    n_flagged = (changed.test["risk_suicidewatch"] >= changed.point_by_target["suicidewatch"].threshold).sum()
    assert f"{100 * n_flagged / len(changed.test):.3g}% of all test posts are flagged" in words
    assert "first half" in section.pictures[0].svg
    table = build_robustness(changed)
    assert table is not None
    worst = table.frame.set_index("perturbation").loc["first_half"]  # ten of forty scores were set to 0
    assert f"The largest fall is {-100 * worst['difference']:.1f} points" in section.pictures[0].description
    assert "robustness" in {table.name for table in build_page(changed).tables}


def test_a_sample_of_the_positives_is_called_one(changed: RunResults) -> None:
    assert changed.robustness is not None
    half = changed.robustness[changed.robustness["perturbation"] == "first_half"]
    words = " ".join(build_robustness_section(dataclasses.replace(changed, robustness=half)).words)
    n_positive = (changed.test["label"] == "suicidewatch").sum()
    assert f"40 of {n_positive} (at most 500, drawn with the seed)" in words


def test_runs_that_did_not_measure_it_say_so(results: RunResults, changed: RunResults) -> None:
    unpromised = dataclasses.replace(changed, operating_points=())
    for run in (results, unpromised):
        section = build_robustness_section(run)
        assert build_robustness(run) is None
        assert "Not measured" in section.words[0]
        assert not section.tables
