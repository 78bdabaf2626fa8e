"""SCR010: the bound is computed anew from counts, and the misses are counted on the calibration scores."""

import dataclasses

import pytest
from scipy.stats import beta, binom

from reports.checks.promise import check_recall_bound
from reports.results import RunResults


def test_more_misses_than_the_promise_allows_fail(results: RunResults) -> None:
    point = results.point_by_target["any_risk"]
    worse = point.model_copy(update={"n_allowed_misses": point.n_allowed_misses + 1})
    check = check_recall_bound(dataclasses.replace(results, operating_points=(worse,)))
    assert check.outcome == "fail"
    n, k = worse.n_positive, worse.n_allowed_misses
    assert f"{beta.ppf(0.05, n - k, k + 1):.4f} from {k} misses of {n}" in check.sentence


def test_a_threshold_of_other_scores_fails(results: RunResults) -> None:
    higher = results.point_by_target["any_risk"].model_copy(update={"threshold": 0.9})
    assert check_recall_bound(dataclasses.replace(results, operating_points=(higher,))).outcome == "fail"


def test_the_bound_reaches_the_target_exactly_where_the_binomial_tail_is_small_enough(results: RunResults) -> None:
    """An independent form: bound >= target if and only if P(Binomial(n, 1 - target) <= k) <= 1 - confidence."""
    point = results.point_by_target["any_risk"]
    for k in range(40):
        changed = point.model_copy(update={"n_allowed_misses": k, "threshold": 0.0})
        outcome = check_recall_bound(dataclasses.replace(results, operating_points=(changed,))).outcome
        assert (outcome == "pass") == (binom.cdf(k, point.n_positive, 0.05) <= 0.05)


def test_without_operating_points_there_is_no_bound(results: RunResults) -> None:
    assert check_recall_bound(dataclasses.replace(results, operating_points=())).outcome == "not_applicable"


@pytest.mark.parametrize("name", ["suicidewatch", "any_risk"])
def test_fitted_operating_points_pass(results: RunResults, name: str) -> None:
    point = results.point_by_target[name]
    assert check_recall_bound(dataclasses.replace(results, operating_points=(point,))).outcome == "pass"
