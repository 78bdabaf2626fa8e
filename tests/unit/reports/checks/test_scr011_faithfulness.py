"""SCR011: words an explanation names must lower the score more than random words do, and keep more of it alone."""

import dataclasses

import numpy as np
import pandas as pd

from reports.checks.explanations import check_faithfulness
from reports.results import RunResults


def with_gain(results: RunResults, gain: float, n: int = 80, *, kept: float = 0.8) -> RunResults:
    """Marked words lower the score by ``gain`` more than random ones, and alone lose ``kept`` less."""
    generator = np.random.default_rng(0)
    random = generator.normal(1.0, 0.3, n)
    columns = {
        "comprehensiveness_aopc": random + generator.normal(gain, 0.3, n),
        "comprehensiveness_aopc_random": random,
        "sufficiency_aopc": random - generator.normal(kept, 0.3, n),
        "sufficiency_aopc_random": random,
    }
    table = pd.DataFrame({"post_id": results.test["post_id"].head(n), **columns})
    return dataclasses.replace(results, faithfulness=table)


def test_words_no_better_than_random_ones_fail(results: RunResults) -> None:
    for gain in (0.0, -1.0):
        assert check_faithfulness(with_gain(results, gain)).outcome == "fail"


def test_a_gain_within_chance_of_nothing_fails(results: RunResults) -> None:
    assert check_faithfulness(with_gain(results, 0.05, n=12)).outcome == "fail"


def test_words_that_alone_keep_no_more_than_random_ones_warn(results: RunResults) -> None:
    for kept in (0.0, -0.5):
        check = check_faithfulness(with_gain(results, 0.8, kept=kept))
        assert check.outcome == "warn"
        assert "alone they keep no more" in check.sentence


def test_not_measured_is_said(results: RunResults) -> None:
    assert check_faithfulness(results).outcome == "not_measured"


def test_a_clear_gain_passes_with_its_interval(results: RunResults) -> None:
    made = with_gain(results, 0.8)
    check = check_faithfulness(made)
    assert check.outcome == "pass"
    assert made.faithfulness is not None
    gain = made.faithfulness["comprehensiveness_aopc"] - made.faithfulness["comprehensiveness_aopc_random"]
    assert f"{gain.mean():+.2f} (95% interval +" in check.sentence
    assert "80 flagged test posts" in check.sentence


def test_posts_drawn_from_those_of_highest_risk_are_called_so(results: RunResults) -> None:
    flagged = results.test[results.test["triage"] != "no_flag"].sort_values("risk_any_risk", ascending=False)
    assert len(flagged) > 90
    spans = pd.DataFrame({"post_id": flagged["post_id"].head(90), "head": "class:any_risk", "is_reliable": True})
    check = check_faithfulness(dataclasses.replace(with_gain(results, 0.8), explanations=spans))
    assert f"80 of the 90 of highest risk of {len(flagged)} flagged test posts" in check.sentence
