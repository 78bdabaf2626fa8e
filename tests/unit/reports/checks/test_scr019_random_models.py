"""SCR019: a map that a model with random weights draws just as well shows the text and not the model."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from reports.checks.explanations import check_random_models
from reports.results import RunResults
from reports.sections.explanation_estimates import STAGES


def with_correlation(results: RunResults, mean: float, n: int = 24) -> RunResults:
    """Rank correlations with a wholly random model around a mean; at the other stages they are high."""
    rng = np.random.default_rng(0)
    posts = pd.DataFrame({"post_id": results.test["post_id"].head(n), "seed": np.arange(n) // 2})
    parts = [posts.assign(stage=stage, rank_correlation=rng.normal(0.9, 0.01, n)) for stage in STAGES[:-1]]
    last = posts.assign(stage=STAGES[-1], rank_correlation=rng.normal(mean, 0.15, n))
    return dataclasses.replace(results, random_models=pd.concat([*parts, last]))


@pytest.mark.parametrize("mean", [0.95, 0.6, 0.5])
def test_much_the_same_order_without_anything_learned_fails(results: RunResults, mean: float) -> None:
    assert check_random_models(with_correlation(results, mean)).outcome == "fail"


def test_too_few_posts_to_be_sure_fail(results: RunResults) -> None:
    many = with_correlation(results, 0.45, n=400)
    assert many.random_models is not None
    few = dataclasses.replace(many, random_models=many.random_models.groupby("stage").head(10))
    assert check_random_models(many).outcome == "pass"
    assert check_random_models(few).outcome == "fail"


def test_fewer_than_five_random_models_measure_nothing(results: RunResults) -> None:
    assert check_random_models(with_correlation(results, 0.1, n=8)).outcome == "not_measured"


def test_not_measured_is_said(results: RunResults) -> None:
    check = check_random_models(results)
    assert check.outcome == "not_measured"
    assert "screening explain RUN" in check.sentence


def test_another_order_passes_with_its_interval_and_n(results: RunResults) -> None:
    check = check_random_models(with_correlation(results, 0.1))
    assert check.outcome == "pass"
    assert "95% interval" in check.sentence
    assert "24 flagged test posts" in check.sentence


def test_posts_drawn_from_those_of_highest_risk_are_called_so(results: RunResults) -> None:
    flagged = results.test[results.test["triage"] != "no_flag"].sort_values("risk_any_risk", ascending=False)
    spans = pd.DataFrame({"post_id": flagged["post_id"].head(90), "head": "class:any_risk", "is_reliable": True})
    check = check_random_models(dataclasses.replace(with_correlation(results, 0.1), explanations=spans))
    assert f"24 of the 90 of highest risk of {len(flagged)} flagged test posts" in check.sentence
