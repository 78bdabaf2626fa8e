"""Reliability and faithfulness of explanations against plain counting and another library's bootstrap."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, bootstrap

from reports.explanations import (
    build_explanation_section,
    build_explanations,
    build_faithfulness,
    estimate_gain_over_random,
)
from reports.results import RunResults

SHARES = ("1", "5", "10", "20", "50", "aopc")


@pytest.fixture(scope="module")
def measured(results: RunResults) -> RunResults:
    rng = np.random.default_rng(1)
    columns = {
        f"{kind}_{share}{suffix}": rng.normal(mean + 0.1 * i, 0.8, 90)
        for kind, mean in (("comprehensiveness", 1.0), ("sufficiency", 0.5))
        for i, share in enumerate(SHARES)
        for suffix in ("", "_random")
    }
    table = pd.DataFrame({"post_id": results.test["post_id"].head(90), **columns, "n_words": 40, "n_draws": 5})
    return dataclasses.replace(results, faithfulness=table)


def test_reliability_is_a_share_of_posts_with_its_exact_interval(results: RunResults) -> None:
    table = build_explanations(results)
    assert table is not None
    (row,) = table.frame.to_dict("records")
    expected = binomtest(35, 40).proportion_ci(method="exact")  # every eighth of forty does not add up
    assert (row["reliable"], row["n_posts"]) == (35 / 40, 40)
    np.testing.assert_allclose([row["reliable_low"], row["reliable_high"]], [expected.low, expected.high])
    assert "was not measured here" in table.note


def test_faithfulness_is_the_mean_over_posts_beside_that_of_random_words(measured: RunResults) -> None:
    table, posts = build_faithfulness(measured), measured.faithfulness
    assert table is not None
    assert posts is not None
    assert len(table.frame) == len(SHARES)
    for share, row in zip(SHARES, table.frame.to_dict("records"), strict=True):
        for kind in ("comprehensiveness", "sufficiency"):
            for suffix in ("", "_random"):
                assert row[f"{kind}{suffix}"] == pytest.approx(posts[f"{kind}_{share}{suffix}"].mean())
        assert row["gain"] == pytest.approx(row["comprehensiveness"] - row["comprehensiveness_random"])
        assert row["gain_n"] == 90


def test_the_interval_of_the_gain_is_that_of_scipys_paired_bootstrap(measured: RunResults) -> None:
    posts = measured.faithfulness
    assert posts is not None
    gain = (posts["comprehensiveness_aopc"] - posts["comprehensiveness_aopc_random"]).to_numpy()
    found = estimate_gain_over_random(measured)
    rng = np.random.default_rng(3)
    expected = bootstrap((gain,), np.mean, n_resamples=20_000, method="percentile", rng=rng).confidence_interval
    assert found.interval is not None
    # 2,000 resamples of a mean with standard error .12: a 2.5 % quantile moves by about .006
    np.testing.assert_allclose([found.interval.low, found.interval.high], expected, atol=0.025)


def test_what_was_not_measured_is_not_shown(results: RunResults, measured: RunResults) -> None:
    assert build_faithfulness(results) is None
    section = build_explanation_section(measured)
    assert section is not None
    assert [table.name for table in section.tables] == ["explanations", "faithfulness"]
    assert "was not measured here" not in section.tables[0].note
    assert build_explanation_section(dataclasses.replace(results, explanations=None)) is None


def test_the_page_says_that_words_are_no_reasons_and_shows_none(measured: RunResults) -> None:
    section = build_explanation_section(measured)
    assert section is not None
    assert "not reasons" in section.words[0]
    assert "post_id" not in section.tables[1].frame
