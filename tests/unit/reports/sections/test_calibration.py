"""Calibration tables against logits that are known because they were made."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from scipy.special import logit
from sklearn.metrics import brier_score_loss

from reports.checks.probabilities import check_calibration_gain
from reports.results import RunResults
from reports.sections.calibration import (
    build_calibration_slopes,
    build_calibration_summary,
    build_reliability,
    compute_unscaled_probabilities,
)
from screening.calibration.temperature import TemperatureScaling
from tests.unit.reports.conftest import clear_posts


def test_undoing_the_temperature_gives_the_probabilities_of_the_logits(results: RunResults) -> None:
    logits = np.random.default_rng(1).normal(scale=3, size=(len(results.test), len(results.taxonomy.names)))
    assert results.temperature is not None
    scaled = results.temperature.compute_probabilities(logits)
    columns = {f"prob_{name}": scaled[:, i] for i, name in enumerate(results.taxonomy.names)}
    changed = dataclasses.replace(results, test=results.test.assign(**columns))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert compute_unscaled_probabilities(changed) == pytest.approx(expected, abs=1e-12)


def test_brier_scores_have_the_interval_of_a_mean_over_posts(results: RunResults) -> None:
    frame = build_calibration_summary(results).frame.set_index("score")
    is_positive = results.test["label"].isin(results.taxonomy.targets[-1].labels)
    errors = (results.test["risk_any_risk"] - is_positive) ** 2
    expected = scipy.stats.t.interval(0.95, len(errors) - 1, errors.mean(), scipy.stats.sem(errors))
    row = frame.loc["risk any_risk"]
    assert (row["brier_after_low"], row["brier_after_high"]) == pytest.approx(expected)
    assert row["brier_after_n"] == len(errors)
    wide = frame.loc["most probable class"]
    assert wide["brier_before_low"] < wide["brier_before"] < wide["brier_before_high"]


def test_brier_score_of_a_risk_score_agrees_with_scikit_learn(results: RunResults) -> None:
    frame = build_calibration_summary(results).frame.set_index("score")
    y_true = results.test["label"].ne("offmychest")
    assert frame.loc["risk any_risk", "brier_after"] == pytest.approx(
        brier_score_loss(y_true, results.test["risk_any_risk"])
    )


def test_expected_calibration_error_agrees_with_binning_by_hand(results: RunResults) -> None:
    frame = build_calibration_summary(results).frame.set_index("score")
    reliability = build_reliability(results).frame
    sizes = reliability.loc[reliability["target"] == "suicidewatch", "n"]
    assert sizes.between(79, 81).all()
    ranked = results.test.sort_values("risk_suicidewatch")
    gaps, start = 0.0, 0
    for size in sizes:
        part = ranked.iloc[start : start + size]
        gaps += abs(part["label"].eq("suicidewatch").sum() - part["risk_suicidewatch"].sum())
        start += size
    assert frame.loc["risk suicidewatch", "ece_after"] == pytest.approx(gaps / len(ranked), abs=1e-9)


def test_scaling_helps_where_scores_were_made_over_confident(results: RunResults) -> None:
    frame = build_calibration_summary(results).frame
    assert (frame["brier_after"] < frame["brier_before"]).all()


def test_identity_temperature_changes_nothing(results: RunResults) -> None:
    identity = dataclasses.replace(results, temperature=TemperatureScaling(temperature=1, n_samples=0))
    frame = build_calibration_summary(identity).frame
    assert frame["brier_after"].to_numpy() == pytest.approx(frame["brier_before"].to_numpy())


def test_reliability_bins_hold_every_post_once(results: RunResults) -> None:
    frame = build_reliability(results).frame
    assert (frame.groupby("target")["n"].sum() == len(results.test)).all()
    shares = (frame["observed"] * frame["n"]).groupby(frame["target"]).sum()
    assert shares["suicidewatch"] == pytest.approx(results.test["label"].eq("suicidewatch").sum())


def test_slopes_agree_with_statsmodels(results: RunResults) -> None:
    frame = build_calibration_slopes(results).frame.set_index(["score", "when"])
    y_true = results.test["label"].eq("suicidewatch").astype(float)
    x = logit(results.test["risk_suicidewatch"].to_numpy())
    binomial = sm.families.Binomial()
    slope = sm.GLM(y_true, sm.add_constant(x), family=binomial).fit()
    shift = sm.GLM(y_true, np.ones(len(x)), family=binomial, offset=x).fit()
    row = frame.loc[("risk suicidewatch", "after temperature scaling")]
    assert (row["slope"], row["intercept"]) == pytest.approx((slope.params.iloc[1], shift.params.iloc[0]), rel=1e-5)
    assert (row["slope_low"], row["slope_high"]) == pytest.approx(tuple(slope.conf_int().iloc[1]), rel=1e-5)


def test_scores_made_over_confident_have_a_slope_below_one_until_they_are_scaled(results: RunResults) -> None:
    frame = build_calibration_slopes(results).frame.set_index(["score", "when"])
    for target in ("suicidewatch", "any_risk"):
        assert frame.loc[(f"risk {target}", "before temperature scaling"), "slope_high"] < 1
        after = frame.loc[(f"risk {target}", "after temperature scaling")]
        assert after["slope_low"] < 1 < after["slope_high"]


def test_posts_a_first_stage_cleared_have_no_probability_and_are_counted_apart(results: RunResults) -> None:
    is_cleared = np.arange(len(results.test)) % 4 == 0
    cascade = dataclasses.replace(results, test=clear_posts(results.test, is_cleared))
    read = dataclasses.replace(results, test=results.test[~is_cleared].reset_index(drop=True))
    is_positive = results.test["label"].eq("suicidewatch").to_numpy()
    counts = f"{(is_cleared & is_positive).sum()} of {is_positive.sum()} of suicidewatch"
    for build in (build_calibration_summary, build_calibration_slopes, build_reliability):
        found, expected = build(cascade), build(read)
        assert found.frame.equals(expected.frame)
        assert found.note.startswith(expected.note)
        assert f"cleared {is_cleared.sum()} of 800 test posts ({counts}, " in found.note
    assert check_calibration_gain(cascade) == check_calibration_gain(read)
