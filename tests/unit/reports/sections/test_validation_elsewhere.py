import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import logit
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from reports.assembly import build_page
from reports.results import RunResults
from reports.sections.validation_elsewhere import (
    build_external,
    build_external_ranking,
    build_later,
    build_validation_section,
    choose_later_posts,
)
from tests.unit.reports.conftest import clear_posts


@pytest.fixture(scope="module")
def elsewhere(results: RunResults, made: Callable[..., RunResults]) -> RunResults:
    """The made run with the test posts of another made run, harder to tell apart, as external posts."""
    other = made(seed=40).test
    risks = [name for name in other if str(name).startswith("risk_")]
    other[risks] = other[risks] ** 2
    card = {"filters": [{"step": "read", "n_posts": 820}, {"step": "exact_duplicates", "n_posts": 15},
                        {"step": "near_duplicates", "n_posts": 5}, {"step": "kept", "n_posts": 800}]}  # fmt: skip
    return dataclasses.replace(results, external=other, external_card=card)


def test_recall_and_alerts_on_external_posts_are_counted_at_the_runs_own_threshold(elsewhere: RunResults) -> None:
    table = build_external(elsewhere)
    assert table is not None
    assert elsewhere.external is not None
    for row in table.frame.itertuples():
        point = elsewhere.point_by_target[row.target]
        positives = elsewhere.external["label"].isin(point.labels)
        flags = elsewhere.external[f"risk_{row.target}"] >= point.threshold
        n, n_found, n_flagged = int(positives.sum()), int((positives & flags).sum()), int(flags.sum())
        expected = (n_found / n, *proportion_confint(n_found, n, method="beta"))
        assert (row.recall, row.recall_low, row.recall_high) == pytest.approx(expected, abs=1e-9)
        assert row.ppv == pytest.approx(n_found / n_flagged)
        assert row.alerts_per_1000 == pytest.approx(1_000 * n_flagged / len(flags))
        assert (row.n_positive, row.n_samples, row.target_recall) == (n, len(flags), 0.95)
        assert (row.verdict == "contradicted") == (row.recall_high < 0.95)


def test_discrimination_and_calibration_stand_beside_those_of_the_test_split(elsewhere: RunResults) -> None:
    table = build_external_ranking(elsewhere)
    assert table is not None
    assert elsewhere.external is not None
    assert len(table.frame) == 4
    for row in table.frame.itertuples():
        scores = elsewhere.test if row.posts == "test split" else elsewhere.external
        y_true = scores["label"].isin(elsewhere.point_by_target[row.target].labels).to_numpy()
        risk = scores[f"risk_{row.target}"].to_numpy()
        assert row.roc_area == pytest.approx(roc_auc_score(y_true, risk))
        log_odds = logit(risk.clip(1e-7, 1 - 1e-7))
        slope = sm.GLM(y_true, sm.add_constant(log_odds), family=sm.families.Binomial()).fit()
        shift = sm.GLM(y_true, np.ones(len(y_true)), family=sm.families.Binomial(), offset=log_odds).fit()
        assert row.slope == pytest.approx(slope.params[1], abs=1e-4)
        assert (row.intercept_low, row.intercept_high) == pytest.approx(tuple(shift.conf_int()[0]), abs=1e-4)


def test_cleared_posts_are_ranked_last_and_have_no_probability_to_calibrate(elsewhere: RunResults) -> None:
    assert elsewhere.external is not None
    is_cleared = np.arange(len(elsewhere.external)) % 3 == 0
    cleared = clear_posts(elsewhere.external, is_cleared)
    read = dataclasses.replace(elsewhere, external=elsewhere.external[~is_cleared])
    found = build_external_ranking(dataclasses.replace(elsewhere, external=cleared))
    expected = build_external_ranking(read)
    assert found is not None
    assert expected is not None
    probabilities = [name for name in found.frame if name.startswith(("slope", "intercept"))]
    assert found.frame[probabilities].equals(expected.frame[probabilities])
    row = found.frame.set_index(["target", "posts"]).loc[("any_risk", "external posts")]
    assert row["roc_area"] == pytest.approx(roc_auc_score(cleared["label"].ne("offmychest"), cleared["risk_any_risk"]))
    assert f"cleared {is_cleared.sum()} of 800 posts (external posts)" in found.note


def test_the_section_says_that_nothing_was_promised_there_and_what_was_dropped(elsewhere: RunResults) -> None:
    words = " ".join(build_validation_section(elsewhere).words)
    assert "never made for these posts" in words
    assert "820 were read; 20 that repeat" in words
    assert "800 are left" in words
    assert "No external validation" not in words
    assert {"external", "external_scores"} <= {table.name for table in build_page(elsewhere).tables}
    unpromised = build_validation_section(dataclasses.replace(elsewhere, operating_points=()))
    assert [table.name for table in unpromised.tables] == ["external_scores"]


def test_a_run_without_either_says_so_plainly(results: RunResults) -> None:
    section = build_validation_section(results)
    assert section.words[0].startswith("No external validation has been done")
    assert section.words[1].startswith("No temporal validation has been done")
    assert section.tables == ()


@pytest.mark.parametrize("share_later", [0.4, 0.01, 0.0])
def test_later_posts_are_those_after_every_fitted_post(results: RunResults, share_later: float) -> None:
    until = pd.Timestamp(results.test["created_at"].quantile(1 - share_later))
    run = dataclasses.replace(results, fitted_until=until)
    later = choose_later_posts(run)
    assert later is not None
    is_later = run.test["created_at"] > until
    assert set(later["post_id"]) == set(run.test.loc[is_later, "post_id"])
    table, section = build_later(run), build_validation_section(run)
    assert f"{is_later.sum():,} of 800 test posts are later" in section.words[-1]
    if share_later < 0.1:
        assert table is None
        assert "too few for a temporal validation, so none has been done" in section.words[-1]
        return
    assert table is not None
    for row in table.frame.itertuples():
        point = run.point_by_target[row.target]
        positives = later["label"].isin(point.labels)
        flags = later[f"risk_{row.target}"] >= point.threshold
        assert row.recall == pytest.approx((positives & flags).sum() / positives.sum())
        assert row.recall_n == positives.sum() >= 10
